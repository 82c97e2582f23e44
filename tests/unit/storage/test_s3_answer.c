#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "storage/s3_answer.h"
#include "storage/xml.h"

static const char page_text[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- a list -->\n"
    "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><Prefix>p/</Prefix>"
    "<IsTruncated>true</IsTruncated>"
    "<Contents><Key>p/a%20b%2B%25</Key><LastModified>2009-10-12T17:50:30.250Z</LastModified><Size>434234</Size>"
    "<Owner><ID>x</ID></Owner></Contents>\n"
    "<Contents><Key>p/c+d</Key><Size>0</Size></Contents>"
    "<CommonPrefixes><Prefix>p/sub%C3%A9/</Prefix></CommonPrefixes>"
    "<EncodingType>url</EncodingType><NextContinuationToken>1/a&amp;b=</NextContinuationToken></ListBucketResult>";

typedef struct kept {
    char text[1024];
    int count;
} kept;

static leat_code keep(void *arg, const leat_s3_object *object, leat_error *error)
{
    (void)error;
    kept *self = arg;
    size_t used = strlen(self->text);
    (void)snprintf(self->text + used, sizeof self->text - used, "%s%s %llu %lld\n", object->is_prefix ? "/" : "",
                   object->key, (unsigned long long)object->size, (long long)object->modified_ms);
    self->count++;
    return LEAT_OK;
}

static void a_page_is_read_whatever_the_order(void **state)
{
    (void)state;
    kept all = {0};
    leat_s3_page page;
    assert_int_equal(leat_s3_read_page(page_text, strlen(page_text), keep, &all, &page, NULL), LEAT_OK);
    assert_string_equal(all.text, "p/a b+% 434234 1255369830250\np/c d 0 0\n/p/sub\xc3\xa9/ 0 0\n");
    assert_true(page.is_truncated);
    assert_string_equal(page.token, "1/a&b=");
    leat_s3_page_done(&page);
}

static void keys_that_are_not_escaped_stay_as_they_are(void **state)
{
    (void)state;
    static const char text[] = "<s3:ListBucketResult xmlns:s3='x'><s3:Contents><s3:Key>a+%20&lt;&#x3e;&#233;</s3:Key>"
                               "</s3:Contents></s3:ListBucketResult>";
    kept all = {0};
    leat_s3_page page;
    assert_int_equal(leat_s3_read_page(text, strlen(text), keep, &all, &page, NULL), LEAT_OK);
    assert_string_equal(all.text, "a+%20<>\xc3\xa9 0 0\n");
    assert_false(page.is_truncated);
    leat_s3_page_done(&page);
}

static void what_is_no_list_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "not XML",
        "<ListBucketResult>",
        "<ListBucketResult/>x",
        "<ListBucketResult/><ListBucketResult/>",
        "<Error><Code>X</Code></Error>",
        "<!DOCTYPE x [<!ENTITY a \"b\">]><ListBucketResult/>",
        "<ListBucketResult>&a;</ListBucketResult>",
        "<ListBucketResult>&#0;</ListBucketResult>",
        "<ListBucketResult>&#xd800;</ListBucketResult>",
        "<ListBucketResult>&#99999999999;</ListBucketResult>",
        "<ListBucketResult><a></ListBucketResult></a>",
        "<ListBucketResult a=b></ListBucketResult>",
        "<ListBucketResult a=\"b></ListBucketResult>",
        "<ListBucketResult a></ListBucketResult>",
        "<ListBucketResult><![CDATA[x]]></ListBucketResult>",
        "<ListBucketResult><Contents></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>1e3</Size></Contents></ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%0</Key></Contents></ListBucketResult>",
        "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%00</Key></Contents></ListBucketResult>",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        kept all = {0};
        leat_s3_page page;
        leat_error error = {0};
        if (leat_s3_read_page(wrong[i], strlen(wrong[i]), keep, &all, &page, &error) != LEAT_CORRUPT)
            fail_msg("'%s' was read", wrong[i]);
        assert_null(page.token);
        assert_true(error.text[0]);
    }
}

static void depth_and_length_have_bounds(void **state)
{
    (void)state;
    char deep[64 * 3 + 1] = "";
    for (int i = 0; i < 64; i++)
        memcpy(deep + 3 * i, "<a>", 4);
    leat_xml xml;
    leat_xml_event event = LEAT_XML_OPEN;
    leat_code code = LEAT_OK;
    leat_xml_init(&xml, deep, strlen(deep));
    while (code == LEAT_OK)
        code = leat_xml_next(&xml, &event, NULL);
    assert_int_equal(code, LEAT_CORRUPT);
    assert_int_equal(xml.depth, LEAT_XML_DEPTH_MAX);
    leat_xml_done(&xml);
    enum { LONG = LEAT_XML_TEXT_BYTES_MAX + 10 };
    char *text = leat_alloc(LONG);
    assert_non_null(text);
    memset(text, 'x', LONG);
    memcpy(text, "<a>", 3);
    leat_xml_init(&xml, text, LONG);
    assert_int_equal(leat_xml_next(&xml, &event, NULL), LEAT_OK);
    assert_int_equal(leat_xml_next(&xml, &event, NULL), LEAT_CORRUPT);
    leat_xml_done(&xml);
    leat_free(text);
}

static void failures_are_read_as_far_as_they_go(void **state)
{
    (void)state;
    static const char text[] = "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>a\tb</Message>"
                               "<Key>k</Key><Region>r</Region><RequestId>id</RequestId></Error>";
    leat_s3_failure failure;
    assert_true(leat_s3_read_failure(text, strlen(text), &failure));
    assert_string_equal(failure.code, "NoSuchKey");
    assert_string_equal(failure.message, "a?b");
    assert_string_equal(failure.request_id, "id");
    assert_string_equal(failure.region, "r");
    assert_false(leat_s3_read_failure("<html/>", 7, &failure));
    assert_false(leat_s3_read_failure(text, strlen(text) - 3, &failure));
    assert_string_equal(failure.code, "");
}

static void fields_are_found_and_late_errors_seen(void **state)
{
    (void)state;
    static const char text[] = "<R><A>x</A><B><A>y</A></B></R>", late[] = " <Error><Code>InternalError</Code></Error>";
    char *found = NULL;
    assert_int_equal(leat_s3_read_field(text, strlen(text), "R", "A", &found, NULL), LEAT_OK);
    assert_string_equal(found, "x");
    leat_free(found);
    assert_int_equal(leat_s3_read_field(text, strlen(text), "R", "C", &found, NULL), LEAT_CORRUPT);
    assert_int_equal(leat_s3_read_field(late, strlen(late), "R", "A", &found, NULL), LEAT_IO);
    assert_int_equal(leat_s3_read_removal("<DeleteResult/>", 15, NULL), LEAT_OK);
    assert_int_equal(leat_s3_read_removal("<R/>", 4, NULL), LEAT_CORRUPT);
}

static void dates_are_read_in_both_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t expected;
    } cases[] = {
        {"Fri, 24 May 2013 00:00:00 GMT", 1369353600000},
        {"2013-05-24T00:00:00.123Z", 1369353600123},
        {"2013-05-24T00:00:00Z", 1369353600000},
        {"Fri, 24 Mai 2013 00:00:00 GMT", -1},
        {"Fri, 24 May 2013 25:00:00 GMT", -1},
        {"2013-13-24T00:00:00Z", -1},
        {"yesterday", -1},
        {"", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(leat_s3_parse_date(cases[i].text), cases[i].expected);
}

/* Whatever comes is read or refused; the sanitizers look on. */
static void broken_answers_do_no_harm(void **state)
{
    (void)state;
    static const char alphabet[] = "<>/&;\"'= %#x0?!-ab\xff";
    char text[sizeof page_text];
    srand(7);
    for (int round = 0; round < 20000; round++) {
        memcpy(text, page_text, sizeof text);
        size_t length = strlen(text);
        for (int i = rand() % 4; i >= 0; i--)
            text[(size_t)rand() % length] = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
        if (rand() % 4 == 0) length = (size_t)rand() % length;
        char *exact = leat_alloc(length); /* one byte too far is noticed */
        assert_non_null(exact);
        memcpy(exact, text, length);
        kept all = {0};
        leat_s3_page page;
        leat_s3_failure failure;
        leat_code code = leat_s3_read_page(exact, length, keep, &all, &page, NULL);
        assert_true(code == LEAT_OK || code == LEAT_CORRUPT);
        leat_s3_page_done(&page);
        (void)leat_s3_read_failure(exact, length, &failure);
        leat_free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_is_read_whatever_the_order),
        cmocka_unit_test(keys_that_are_not_escaped_stay_as_they_are),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(depth_and_length_have_bounds),
        cmocka_unit_test(failures_are_read_as_far_as_they_go),
        cmocka_unit_test(fields_are_found_and_late_errors_seen),
        cmocka_unit_test(dates_are_read_in_both_forms),
        cmocka_unit_test(broken_answers_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
