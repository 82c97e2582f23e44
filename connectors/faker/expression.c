#include "connectors/faker/expression.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/config.h"
#include "connectors/faker/words.h"

enum { ARGUMENTS_MAX = 64, NAME_BYTES_MAX = 128 };

typedef struct directive {
    const char *arguments[ARGUMENTS_MAX];
    int arguments_count;
} directive;

typedef void make_function(const directive *given, leat_faker_source *source, leat_bytes *out);

typedef struct part {
    struct part *next;
    const char *text; /* literal; or NULL */
    make_function *make;
    directive given;
} part;

struct leat_faker_expression {
    part *first;
};

uint64_t leat_faker_next(leat_faker_source *source)
{
    uint64_t z = source->random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t leat_faker_below(leat_faker_source *source, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)leat_faker_next(source) * bound) >> 64);
}

static const char *pick(leat_faker_source *source, const leat_words *words)
{
    return words->list[leat_faker_below(source, words->count)];
}

/* --- templates: '#' a digit, '?' a letter --- */

static void fill_template(const char *template, bool digits, bool letters, leat_faker_source *source, leat_bytes *out)
{
    for (const char *at = template; *at; at++) {
        char c = *at;
        if (c == '#' && digits)
            c = (char)('0' + leat_faker_below(source, 10));
        else if (c == '?' && letters)
            c = (char)('a' + leat_faker_below(source, 26));
        leat_bytes_put_u8(out, (uint8_t)c);
    }
}

static void make_numerify(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    fill_template(given->arguments[0], true, false, source, out);
}

static void make_letterify(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    fill_template(given->arguments[0], false, true, source, out);
}

static void make_bothify(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    fill_template(given->arguments[0], true, true, source, out);
}

static void make_regexify(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    leat_faker_regexify(given->arguments[0], source, out);
}

/* --- numbers --- */

static void make_number_between(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    int64_t low = strtoll(given->arguments[0], NULL, 10), high = strtoll(given->arguments[1], NULL, 10);
    uint64_t span = high > low ? (uint64_t)high - (uint64_t)low : 1; /* the upper end is exclusive */
    leat_bytes_format(out, "%" PRId64, (int64_t)((uint64_t)low + leat_faker_below(source, span)));
}

static void make_random_double(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    int decimals = (int)strtol(given->arguments[0], NULL, 10);
    double low = strtod(given->arguments[1], NULL), high = strtod(given->arguments[2], NULL);
    double unit = (double)(leat_faker_next(source) >> 11) * 0x1.0p-53;
    leat_bytes_format(out, "%.*f", decimals < 0 ? 0 : decimals > 15 ? 15 : decimals, low + unit * (high - low));
}

static void make_digit(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    (void)given;
    leat_bytes_put_u8(out, (uint8_t)('0' + leat_faker_below(source, 10)));
}

static void make_digits(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    long count = strtol(given->arguments[0], NULL, 10);
    for (long i = 0; i < count && i < 1000; i++)
        make_digit(given, source, out);
}

static void make_positive(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    (void)given;
    leat_bytes_format(out, "%" PRIu64, leat_faker_below(source, INT32_MAX));
}

/* --- names, addresses, internet, commerce, text --- */

#define MAKE_WORD(name, words)                                                                                         \
    static void make_##name(const directive *given, leat_faker_source *source, leat_bytes *out)                        \
    {                                                                                                                  \
        (void)given;                                                                                                   \
        leat_bytes_text(out, pick(source, &leat_words_##words));                                                       \
    }
MAKE_WORD(country, country)
MAKE_WORD(hp_character, hp_character)
MAKE_WORD(hp_spell, hp_spell)
MAKE_WORD(hp_book, hp_book)
MAKE_WORD(hp_house, hp_house)
MAKE_WORD(hp_location, hp_location)
MAKE_WORD(first_name, first_name)
MAKE_WORD(last_name, last_name)
MAKE_WORD(city, city)
MAKE_WORD(state, state)
MAKE_WORD(domain, domain)
MAKE_WORD(word, word)
MAKE_WORD(department, department)
MAKE_WORD(material, material)

static void make_full_name(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    make_first_name(given, source, out);
    leat_bytes_text(out, " ");
    make_last_name(given, source, out);
}

static void make_street_address(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    (void)given;
    leat_bytes_format(out, "%" PRIu64 " %s %s", 1 + leat_faker_below(source, 9999),
                      pick(source, &leat_words_street_name), pick(source, &leat_words_street_suffix));
}

static void make_zip(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    (void)given;
    fill_template("#####", true, false, source, out);
}

static void make_full_address(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    make_street_address(given, source, out);
    leat_bytes_format(out, ", %s, %s ", pick(source, &leat_words_city), pick(source, &leat_words_state));
    make_zip(given, source, out);
}

static void put_lower(const char *text, leat_bytes *out)
{
    for (; *text; text++)
        leat_bytes_put_u8(out, (uint8_t)tolower((unsigned char)*text));
}

static void make_user_name(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    (void)given;
    put_lower(pick(source, &leat_words_first_name), out);
    leat_bytes_text(out, ".");
    put_lower(pick(source, &leat_words_last_name), out);
}

static void make_email(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    make_user_name(given, source, out);
    leat_bytes_format(out, "@%s", pick(source, &leat_words_domain));
}

static void make_url(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    (void)given;
    leat_bytes_format(out, "www.%s.%s", pick(source, &leat_words_word), pick(source, &leat_words_domain));
}

static void make_ipv4(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    (void)given;
    uint64_t bits = leat_faker_next(source);
    leat_bytes_format(out, "%u.%u.%u.%u", 1 + (unsigned)(bits & 0xff) % 254, (unsigned)(bits >> 8) & 0xff,
                      (unsigned)(bits >> 16) & 0xff, 1 + (unsigned)((bits >> 24) & 0xff) % 254);
}

static void make_ipv6(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    (void)given;
    for (int i = 0; i < 8; i++)
        leat_bytes_format(out, "%s%x", i ? ":" : "", (unsigned)(leat_faker_next(source) & 0xffff));
}

static void make_mac(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    (void)given;
    for (int i = 0; i < 6; i++)
        leat_bytes_format(out, "%s%02x", i ? ":" : "", (unsigned)(leat_faker_next(source) & 0xff));
}

static void make_uuid(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    (void)given;
    uint64_t high = leat_faker_next(source), low = leat_faker_next(source);
    high = (high & ~UINT64_C(0xf000)) | UINT64_C(0x4000);
    low = (low & ~(UINT64_C(3) << 62)) | (UINT64_C(1) << 63);
    leat_bytes_format(out, "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64, high >> 32,
                      (high >> 16) & 0xffff, high & 0xffff, low >> 48, low & UINT64_C(0xffffffffffff));
}

static void make_product_name(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    (void)given;
    leat_bytes_format(out, "%s %s %s", pick(source, &leat_words_adjective), pick(source, &leat_words_material),
                      pick(source, &leat_words_product));
}

static void make_price(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    double low = given->arguments_count > 0 ? strtod(given->arguments[0], NULL) : 0;
    double high = given->arguments_count > 1 ? strtod(given->arguments[1], NULL) : 100;
    double unit = (double)(leat_faker_next(source) >> 11) * 0x1.0p-53;
    leat_bytes_format(out, "%.2f", low + unit * (high - low));
}

static void make_promotion_code(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    (void)given;
    leat_bytes_format(out, "%s%s", pick(source, &leat_words_adjective), pick(source, &leat_words_product));
    fill_template("######", true, false, source, out);
}

static void make_sentence(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    (void)given;
    uint64_t count = 4 + leat_faker_below(source, 5);
    for (uint64_t i = 0; i < count; i++) {
        const char *text = pick(source, &leat_words_word);
        if (i == 0) leat_bytes_put_u8(out, (uint8_t)toupper((unsigned char)*text++));
        leat_bytes_text(out, text);
        leat_bytes_text(out, i + 1 < count ? " " : ".");
    }
}

static void make_bool(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    (void)given;
    leat_bytes_text(out, leat_faker_next(source) >> 63 ? "true" : "false");
}

static void make_option(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    leat_bytes_text(out, given->arguments[leat_faker_below(source, (uint64_t)given->arguments_count)]);
}

/* --- dates: 'AT MOST', ['MIN',] 'UNIT' --- */

static int64_t unit_ms(const char *unit)
{
    if (strcmp(unit, "SECONDS") == 0) return 1000;
    if (strcmp(unit, "MINUTES") == 0) return 60000;
    if (strcmp(unit, "HOURS") == 0) return 3600000;
    if (strcmp(unit, "DAYS") == 0) return 86400000;
    if (strcmp(unit, "MILLISECONDS") == 0) return 1;
    return 0;
}

static void put_time(int64_t at_ms, leat_bytes *out)
{
    int64_t millis = (at_ms % 1000 + 1000) % 1000; /* before 1970, too */
    time_t seconds = (time_t)((at_ms - millis) / 1000);
    struct tm parts;
    localtime_r(&seconds, &parts);
    leat_bytes_format(out, "%04d-%02d-%02d %02d:%02d:%02d.%03d", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                      parts.tm_hour, parts.tm_min, parts.tm_sec, (int)millis);
}

static int64_t distance_ms(const directive *given, leat_faker_source *source)
{
    bool has_min = given->arguments_count == 3;
    int64_t unit = unit_ms(given->arguments[given->arguments_count - 1]);
    int64_t most = strtoll(given->arguments[0], NULL, 10), least = has_min ? strtoll(given->arguments[1], NULL, 10) : 0;
    if (most < least) most = least;
    return least * unit + (int64_t)leat_faker_below(source, (uint64_t)((most - least) * unit) + 1);
}

static void make_past(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    put_time(source->now_ms - distance_ms(given, source), out);
}

static void make_future(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    put_time(source->now_ms + distance_ms(given, source), out);
}

static void make_birthday(const directive *given, leat_faker_source *source, leat_bytes *out)
{
    int64_t low = given->arguments_count > 0 ? strtoll(given->arguments[0], NULL, 10) : 18;
    int64_t high = given->arguments_count > 1 ? strtoll(given->arguments[1], NULL, 10) : 65;
    int64_t year_ms = INT64_C(31556952000);
    int64_t span = high > low ? (high - low) * year_ms : year_ms;
    put_time(source->now_ms - low * year_ms - (int64_t)leat_faker_below(source, (uint64_t)span), out);
}

typedef enum argument_form { ANY, NUMBERS, UNITS } argument_form;

typedef struct known_directive {
    const char *name; /* lower case, without underscores */
    make_function *make;
    int arguments_min, arguments_max;
    argument_form form;
} known_directive;

static const known_directive known[] = {
    {"number.numberbetween", make_number_between, 2, 2, NUMBERS},
    {"number.randomdouble", make_random_double, 3, 3, NUMBERS},
    {"number.digits", make_digits, 1, 1, NUMBERS},
    {"number.digit", make_digit, 0, 0, ANY},
    {"number.randomdigit", make_digit, 0, 0, ANY},
    {"number.positive", make_positive, 0, 0, ANY},
    {"name.firstname", make_first_name, 0, 0, ANY},
    {"name.lastname", make_last_name, 0, 0, ANY},
    {"name.fullname", make_full_name, 0, 0, ANY},
    {"name.name", make_full_name, 0, 0, ANY},
    {"name.username", make_user_name, 0, 0, ANY},
    {"harrypotter.character", make_hp_character, 0, 0, ANY},
    {"harrypotter.characters", make_hp_character, 0, 0, ANY},
    {"harrypotter.spell", make_hp_spell, 0, 0, ANY},
    {"harrypotter.book", make_hp_book, 0, 0, ANY},
    {"harrypotter.house", make_hp_house, 0, 0, ANY},
    {"harrypotter.location", make_hp_location, 0, 0, ANY},
    {"address.country", make_country, 0, 0, ANY},
    {"country.name", make_country, 0, 0, ANY},
    {"address.city", make_city, 0, 0, ANY},
    {"address.cityname", make_city, 0, 0, ANY},
    {"address.state", make_state, 0, 0, ANY},
    {"address.streetaddress", make_street_address, 0, 0, ANY},
    {"address.fulladdress", make_full_address, 0, 0, ANY},
    {"address.zipcode", make_zip, 0, 0, ANY},
    {"address.postcode", make_zip, 0, 0, ANY},
    {"internet.emailaddress", make_email, 0, 0, ANY},
    {"internet.domainname", make_domain, 0, 0, ANY},
    {"internet.url", make_url, 0, 0, ANY},
    {"internet.uuid", make_uuid, 0, 0, ANY},
    {"internet.ipv4address", make_ipv4, 0, 0, ANY},
    {"internet.ipv6address", make_ipv6, 0, 0, ANY},
    {"internet.macaddress", make_mac, 0, 0, ANY},
    {"internet.username", make_user_name, 0, 0, ANY},
    {"commerce.productname", make_product_name, 0, 0, ANY},
    {"commerce.department", make_department, 0, 0, ANY},
    {"commerce.material", make_material, 0, 0, ANY},
    {"commerce.price", make_price, 0, 2, NUMBERS},
    {"commerce.promotioncode", make_promotion_code, 0, 0, ANY},
    {"lorem.word", make_word, 0, 0, ANY},
    {"lorem.sentence", make_sentence, 0, 0, ANY},
    {"bool.bool", make_bool, 0, 0, ANY},
    {"options.option", make_option, 1, ARGUMENTS_MAX, ANY},
    {"date.past", make_past, 2, 3, UNITS},
    {"date.future", make_future, 2, 3, UNITS},
    {"date.birthday", make_birthday, 0, 2, NUMBERS},
    {"numerify", make_numerify, 1, 1, ANY},
    {"letterify", make_letterify, 1, 1, ANY},
    {"bothify", make_bothify, 1, 1, ANY},
    {"regexify", make_regexify, 1, 1, ANY},
};

static const known_directive *find_known(const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) == 0) return &known[i];
    }
    return NULL;
}

static leat_code unresolved(const char *start, size_t length, const char *name, leat_error *error)
{
    leat_code code = leat_fail(error, LEAT_INVALID, "Unable to resolve %.*s directive", (int)length, start);
    leat_nearest near = {.word = name, .less_than = (int)strlen(name) / 3 + 1};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        leat_nearest_look(&near, known[i].name);
    if (near.found) leat_fail_hint(error, "did you mean '%s'?", near.found);
    return code;
}

static bool is_number(const char *text)
{
    char *end;
    (void)strtod(text, &end);
    return end != text && !*end;
}

static bool arguments_fit(const known_directive *wanted, const directive *given)
{
    if (given->arguments_count < wanted->arguments_min || given->arguments_count > wanted->arguments_max) return false;
    int numbers = wanted->form == NUMBERS ? given->arguments_count
                  : wanted->form == UNITS ? given->arguments_count - 1
                                          : 0;
    for (int i = 0; i < numbers; i++) {
        if (!is_number(given->arguments[i])) return false;
    }
    return wanted->form != UNITS || unit_ms(given->arguments[given->arguments_count - 1]) != 0;
}

/* Reads "name 'a','b'}" after "#{". */
static leat_code parse_directive(const char **text, leat_arena *arena, part *out, leat_error *error)
{
    const char *start = *text, *at = start + 2;
    char name[NAME_BYTES_MAX];
    size_t length = 0;
    for (; isalnum((unsigned char)*at) || *at == '_' || *at == '.'; at++) {
        if (*at != '_' && length + 1 < sizeof name) name[length++] = (char)tolower((unsigned char)*at);
    }
    name[length] = '\0';
    while (*at && *at != '}') {
        if (isspace((unsigned char)*at) || *at == ',') {
            at++;
            continue;
        }
        const char *end = *at == '\'' ? strchr(at + 1, '\'') : NULL;
        if (!end || out->given.arguments_count == ARGUMENTS_MAX) break;
        char *argument = leat_arena_strndup(arena, at + 1, (size_t)(end - at - 1));
        if (!argument) return leat_fail_no_memory(error);
        out->given.arguments[out->given.arguments_count++] = argument;
        at = end + 1;
    }
    bool is_closed = *at == '}';
    size_t whole = (size_t)(at - start) + is_closed;
    const known_directive *wanted = find_known(name);
    if (!is_closed || !wanted || !arguments_fit(wanted, &out->given)) return unresolved(start, whole, name, error);
    out->make = wanted->make;
    *text = at + 1;
    return LEAT_OK;
}

leat_code leat_faker_parse(const char *text, leat_arena *arena, leat_faker_expression **out, leat_error *error)
{
    leat_faker_expression *expression = leat_arena_take(arena, sizeof *expression);
    if (!expression) return leat_fail_no_memory(error);
    part **last = &expression->first;
    while (*text) {
        part *added = leat_arena_take(arena, sizeof *added);
        if (!added) return leat_fail_no_memory(error);
        if (text[0] == '#' && text[1] == '{') {
            LEAT_TRY(parse_directive(&text, arena, added, error));
        } else {
            const char *end = strstr(text, "#{");
            size_t length = end ? (size_t)(end - text) : strlen(text);
            added->text = leat_arena_strndup(arena, text, length);
            if (!added->text) return leat_fail_no_memory(error);
            text += length;
        }
        *last = added;
        last = &added->next;
    }
    *out = expression;
    return LEAT_OK;
}

void leat_faker_make(const leat_faker_expression *expression, leat_faker_source *source, leat_bytes *out)
{
    for (const part *at = expression->first; at; at = at->next) {
        if (at->text)
            leat_bytes_text(out, at->text);
        else
            at->make(&at->given, source, out);
    }
}
