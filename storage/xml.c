#include "storage/xml.h"

#include <stdint.h>
#include <string.h>

void leat_xml_init(leat_xml *xml, const void *data, size_t size)
{
    const char *start = data ? data : "";
    *xml = (leat_xml){.start = start, .at = start, .end = start + size};
}

void leat_xml_done(leat_xml *xml)
{
    leat_bytes_done(&xml->text);
}

static leat_code corrupt(const leat_xml *xml, const char *what, leat_error *error)
{
    return leat_fail(error, LEAT_CORRUPT, "XML: %s at offset %zu", what, (size_t)(xml->at - xml->start));
}

static bool starts_with(const leat_xml *xml, const char *text)
{
    size_t length = strlen(text);
    return (size_t)(xml->end - xml->at) >= length && memcmp(xml->at, text, length) == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_blanks(leat_xml *xml)
{
    while (xml->at < xml->end && is_blank(*xml->at))
        xml->at++;
}

/* Behind the next `text`; false: there is none. */
static bool skip_past(leat_xml *xml, const char *text)
{
    const char *found = memmem(xml->at, (size_t)(xml->end - xml->at), text, strlen(text));
    if (found) xml->at = found + strlen(text);
    return found != NULL;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == ':' || (unsigned char)c >= 0x80;
}

static bool take_name(leat_xml *xml, leat_xml_name *out)
{
    const char *start = xml->at;
    while (xml->at < xml->end && is_name_char(*xml->at))
        xml->at++;
    *out = (leat_xml_name){start, (size_t)(xml->at - start)};
    return out->length > 0;
}

static void put_utf8(leat_bytes *out, uint32_t c)
{
    if (c < 0x80) {
        leat_bytes_put_u8(out, (uint8_t)c);
    } else if (c < 0x800) {
        leat_bytes_put_u8(out, (uint8_t)(0xc0 | c >> 6));
        leat_bytes_put_u8(out, (uint8_t)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        leat_bytes_put_u8(out, (uint8_t)(0xe0 | c >> 12));
        leat_bytes_put_u8(out, (uint8_t)(0x80 | (c >> 6 & 63)));
        leat_bytes_put_u8(out, (uint8_t)(0x80 | (c & 63)));
    } else {
        leat_bytes_put_u8(out, (uint8_t)(0xf0 | c >> 18));
        leat_bytes_put_u8(out, (uint8_t)(0x80 | (c >> 12 & 63)));
        leat_bytes_put_u8(out, (uint8_t)(0x80 | (c >> 6 & 63)));
        leat_bytes_put_u8(out, (uint8_t)(0x80 | (c & 63)));
    }
}

/* The digits of "&#38;" or "&#x26;", up to the ';'. */
static bool take_number(leat_xml *xml, uint32_t *out)
{
    uint32_t base = 10, value = 0;
    if (xml->at < xml->end && *xml->at == 'x') {
        base = 16;
        xml->at++;
    }
    int digits = 0;
    for (; xml->at < xml->end && *xml->at != ';'; xml->at++, digits++) {
        char c = *xml->at;
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit >= base || digits >= 8) return false;
        value = value * base + digit;
    }
    bool is_surrogate = value >= 0xd800 && value < 0xe000;
    *out = value;
    return digits > 0 && value != 0 && value <= 0x10ffff && !is_surrogate && xml->at < xml->end;
}

/* At an '&'. */
static leat_code take_entity(leat_xml *xml, leat_error *error)
{
    static const struct {
        const char *text;
        char character;
    } entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
        if (!starts_with(xml, entities[i].text)) continue;
        leat_bytes_put_u8(&xml->text, (uint8_t)entities[i].character);
        xml->at += strlen(entities[i].text);
        return LEAT_OK;
    }
    uint32_t character;
    if (!starts_with(xml, "&#")) return corrupt(xml, "an unknown entity", error);
    xml->at += 2;
    if (!take_number(xml, &character)) return corrupt(xml, "a character's number", error);
    xml->at++;
    put_utf8(&xml->text, character);
    return LEAT_OK;
}

/* Characters up to the next '<'. */
static leat_code take_text(leat_xml *xml, leat_error *error)
{
    while (xml->at < xml->end && *xml->at != '<') {
        if (xml->text.size >= LEAT_XML_TEXT_BYTES_MAX) return corrupt(xml, "a text that is too long", error);
        if (*xml->at == '&') {
            LEAT_TRY(take_entity(xml, error));
            continue;
        }
        if (!xml->depth && !is_blank(*xml->at)) return corrupt(xml, "text outside of the root", error);
        if (*xml->at == '\0') return corrupt(xml, "a NUL", error);
        leat_bytes_put_u8(&xml->text, (uint8_t)*xml->at++);
    }
    return LEAT_OK;
}

static leat_code take_attributes(leat_xml *xml, leat_error *error)
{
    for (;;) {
        const char *before = xml->at;
        skip_blanks(xml);
        if (xml->at >= xml->end) return corrupt(xml, "a tag without end", error);
        if (*xml->at == '>' || *xml->at == '/') return LEAT_OK;
        leat_xml_name name;
        if (xml->at == before || !take_name(xml, &name)) return corrupt(xml, "an attribute", error);
        skip_blanks(xml);
        if (xml->at >= xml->end || *xml->at != '=') return corrupt(xml, "an attribute without value", error);
        xml->at++;
        skip_blanks(xml);
        char quote[2] = {xml->at < xml->end ? *xml->at : '\0', '\0'};
        if (quote[0] != '"' && quote[0] != '\'') return corrupt(xml, "an attribute's value without quotes", error);
        xml->at++;
        if (!skip_past(xml, quote)) return corrupt(xml, "an attribute's value without end", error);
    }
}

static bool same_name(leat_xml_name left, leat_xml_name right)
{
    return left.length == right.length && memcmp(left.at, right.at, left.length) == 0;
}

static leat_code close_element(leat_xml *xml, leat_xml_event *out, leat_error *error)
{
    xml->name = xml->open[--xml->depth];
    *out = LEAT_XML_CLOSE;
    leat_bytes_text(&xml->text, "");
    return leat_bytes_check(&xml->text, error);
}

/* At "</". */
static leat_code take_closing(leat_xml *xml, leat_xml_event *out, leat_error *error)
{
    xml->at += 2;
    leat_xml_name name;
    if (!take_name(xml, &name)) return corrupt(xml, "a closing tag without name", error);
    skip_blanks(xml);
    if (xml->at >= xml->end || *xml->at != '>') return corrupt(xml, "a closing tag without end", error);
    if (!xml->depth || !same_name(name, xml->open[xml->depth - 1])) return corrupt(xml, "another closing tag", error);
    xml->at++;
    return close_element(xml, out, error);
}

/* At a '<' that opens an element. */
static leat_code take_opening(leat_xml *xml, leat_xml_event *out, leat_error *error)
{
    xml->at++;
    leat_xml_name name;
    if (!take_name(xml, &name)) return corrupt(xml, "a tag without name", error);
    if (!xml->depth && xml->has_root) return corrupt(xml, "a second root", error);
    if (xml->depth >= LEAT_XML_DEPTH_MAX) return corrupt(xml, "elements nested too deeply", error);
    LEAT_TRY(take_attributes(xml, error));
    xml->closes_next = *xml->at == '/';
    if (xml->closes_next) xml->at++;
    if (xml->at >= xml->end || *xml->at != '>') return corrupt(xml, "a tag without end", error);
    xml->at++;
    xml->has_root = true;
    xml->open[xml->depth++] = xml->name = name;
    leat_bytes_reset(&xml->text);
    *out = LEAT_XML_OPEN;
    return LEAT_OK;
}

leat_code leat_xml_next(leat_xml *xml, leat_xml_event *out, leat_error *error)
{
    if (xml->closes_next) {
        xml->closes_next = false;
        return close_element(xml, out, error);
    }
    if (xml->at == xml->start && starts_with(xml, "\xef\xbb\xbf")) xml->at += 3;
    for (;;) {
        LEAT_TRY(take_text(xml, error));
        if (xml->at >= xml->end) break;
        if (starts_with(xml, "</")) return take_closing(xml, out, error);
        if (starts_with(xml, "<?")) {
            if (!skip_past(xml, "?>")) return corrupt(xml, "an instruction without end", error);
        } else if (starts_with(xml, "<!--")) {
            if (!skip_past(xml, "-->")) return corrupt(xml, "a comment without end", error);
        } else if (starts_with(xml, "<!")) {
            return corrupt(xml, "a declaration", error);
        } else {
            return take_opening(xml, out, error);
        }
    }
    if (xml->depth || !xml->has_root) return corrupt(xml, "the end comes too early", error);
    *out = LEAT_XML_END;
    return LEAT_OK;
}

static bool is_named(leat_xml_name name, const char *wanted)
{
    const char *colon = memchr(name.at, ':', name.length);
    size_t prefix = colon ? (size_t)(colon + 1 - name.at) : 0;
    return name.length - prefix == strlen(wanted) && memcmp(name.at + prefix, wanted, strlen(wanted)) == 0;
}

bool leat_xml_is(const leat_xml *xml, const char *parent, const char *name)
{
    if (!is_named(xml->name, name)) return false;
    if (!parent) return xml->depth == 0;
    return xml->depth > 0 && is_named(xml->open[xml->depth - 1], parent);
}
