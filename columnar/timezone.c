#include "columnar/timezone.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/memory.h"

enum { ZONE_FILE_MAX = 1 << 20, TRANSITIONS_MAX = 20000 };

struct leat_zone {
    int32_t count;
    int64_t *at_s;      /* transitions, ascending */
    int32_t *offsets_s; /* from each on */
    int32_t first_offset_s;
};

static uint32_t big32(leat_reader *reader)
{
    const uint8_t *at = leat_reader_take(reader, 4);
    return at ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3] : 0;
}

static int64_t big64(leat_reader *reader)
{
    uint64_t high = big32(reader);
    return (int64_t)(high << 32 | big32(reader));
}

typedef struct zone_header {
    uint32_t utc_count, std_count, leap_count, transitions, types, characters;
} zone_header;

static bool read_header(leat_reader *reader, zone_header *header, uint8_t *version)
{
    const uint8_t *magic = leat_reader_take(reader, 20);
    if (!magic || memcmp(magic, "TZif", 4) != 0) return false;
    *version = magic[4];
    *header = (zone_header){big32(reader), big32(reader), big32(reader), big32(reader), big32(reader), big32(reader)};
    return !reader->failed && header->transitions <= TRANSITIONS_MAX && header->types >= 1 && header->types <= 256 &&
           header->characters <= 4096 && header->leap_count <= 4096 && header->std_count <= 256 &&
           header->utc_count <= 256;
}

/* The last rule of the file's footer: only "STD-off[DST[,…]]" with a fixed standard offset matters after the table's
 * end; tables of current tzdata reach 2037, later times take the last offset. */
static leat_code read_table(leat_reader *reader, const zone_header *header, leat_zone *zone, leat_error *error)
{
    const uint8_t *times = leat_reader_take(reader, (size_t)header->transitions * 8);
    const uint8_t *indexes = leat_reader_take(reader, header->transitions);
    const uint8_t *types = leat_reader_take(reader, (size_t)header->types * 6);
    if (reader->failed) return leat_fail(error, LEAT_CORRUPT, "the zone file ends early");
    zone->at_s = leat_alloc((size_t)header->transitions * sizeof *zone->at_s);
    zone->offsets_s = leat_alloc((size_t)header->transitions * sizeof *zone->offsets_s);
    if (!zone->at_s || !zone->offsets_s) return leat_fail_no_memory(error);
    leat_reader at;
    leat_reader_init(&at, times, (size_t)header->transitions * 8);
    for (uint32_t i = 0; i < header->transitions; i++) {
        zone->at_s[i] = big64(&at);
        if (indexes[i] >= header->types) return leat_fail(error, LEAT_CORRUPT, "a type beyond the zone's table");
        leat_reader type;
        leat_reader_init(&type, types + (size_t)indexes[i] * 6, 6);
        zone->offsets_s[i] = (int32_t)big32(&type);
    }
    zone->count = (int32_t)header->transitions;
    leat_reader type;
    leat_reader_init(&type, types, 6);
    zone->first_offset_s = (int32_t)big32(&type);
    return LEAT_OK;
}

static leat_code parse_file(const uint8_t *data, size_t size, leat_zone *zone, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    zone_header header;
    uint8_t version;
    if (!read_header(&reader, &header, &version)) return leat_fail(error, LEAT_CORRUPT, "not a zone file");
    if (version < '2') return leat_fail(error, LEAT_UNSUPPORTED, "a zone file of version 1");
    size_t skip = (size_t)header.transitions * 5 + (size_t)header.types * 6 + header.characters +
                  (size_t)header.leap_count * 8 + header.std_count + header.utc_count;
    (void)leat_reader_take(&reader, skip);
    if (!read_header(&reader, &header, &version)) return leat_fail(error, LEAT_CORRUPT, "not a zone file");
    return read_table(&reader, &header, zone, error);
}

static leat_code read_file(const char *path, uint8_t **out, size_t *size, leat_error *error)
{
    FILE *file = fopen(path, "rb");
    if (!file) return leat_fail(error, LEAT_INVALID, "no such time zone");
    uint8_t *data = leat_alloc(ZONE_FILE_MAX);
    if (!data) {
        fclose(file);
        return leat_fail_no_memory(error);
    }
    *size = fread(data, 1, ZONE_FILE_MAX, file);
    fclose(file);
    *out = data;
    return LEAT_OK;
}

/* "[GMT|UTC]±hh[:mm]". */
static bool parse_offset(const char *name, int32_t *out)
{
    if (strncmp(name, "GMT", 3) == 0 || strncmp(name, "UTC", 3) == 0) name += 3;
    if (*name != '+' && *name != '-') return false;
    char *end;
    long hours = strtol(name + 1, &end, 10), minutes = 0;
    if (end == name + 1 || hours > 18) return false;
    if (*end == ':') minutes = strtol(end + 1, &end, 10);
    if (*end || minutes > 59 || minutes < 0 || hours < 0) return false;
    *out = (int32_t)(hours * 3600 + minutes * 60) * (*name == '-' ? -1 : 1);
    return true;
}

static bool is_safe_name(const char *name)
{
    if (!*name || *name == '/' || strstr(name, "..") || strlen(name) > 64) return false;
    for (; *name; name++) {
        bool is_letter = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z');
        if (!is_letter && !strchr("0123456789/_+-", *name)) return false;
    }
    return true;
}

static void free_zone(leat_zone *zone)
{
    leat_free(zone->at_s);
    leat_free(zone->offsets_s);
    leat_free(zone);
}

static leat_code load(const char *name, leat_zone **out, leat_error *error)
{
    leat_zone *zone = leat_calloc(1, sizeof *zone);
    if (!zone) return leat_fail_no_memory(error);
    bool is_utc = !name || strcmp(name, "UTC") == 0 || strcmp(name, "Z") == 0 || strcmp(name, "GMT") == 0;
    leat_code code = LEAT_OK;
    if (!is_utc && !parse_offset(name, &zone->first_offset_s)) {
        char path[128];
        uint8_t *data = NULL;
        size_t size = 0;
        code = is_safe_name(name) ? LEAT_OK : leat_fail(error, LEAT_INVALID, "no such time zone");
        if (code == LEAT_OK) {
            snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
            code = read_file(path, &data, &size, error);
        }
        if (code == LEAT_OK) code = parse_file(data, size, zone, error);
        leat_free(data);
        if (code != LEAT_OK) {
            free_zone(zone);
            return leat_fail_in(error, code, "time zone '%s'", name);
        }
    }
    *out = zone;
    return LEAT_OK;
}

/* The zones in use; entries never change once they are there. */
static pthread_mutex_t zones_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char name[72];
    leat_zone *zone;
} zones[LEAT_ZONES_MAX];
static int zones_count;

leat_code leat_zone_find(const char *name, const leat_zone **out, leat_error *error)
{
    if (!name || strcmp(name, "UTC") == 0) {
        *out = NULL;
        return LEAT_OK;
    }
    if (strlen(name) >= sizeof zones[0].name) return leat_fail(error, LEAT_INVALID, "no such time zone");
    pthread_mutex_lock(&zones_lock);
    int at = 0;
    while (at < zones_count && strcmp(zones[at].name, name) != 0)
        at++;
    leat_code code = LEAT_OK;
    if (at == LEAT_ZONES_MAX) code = leat_fail(error, LEAT_LIMIT, "more than %d time zones are in use", LEAT_ZONES_MAX);
    if (code == LEAT_OK && at == zones_count) {
        code = load(name, &zones[at].zone, error);
        if (code == LEAT_OK) {
            memcpy(zones[at].name, name, strlen(name) + 1);
            zones_count++;
        }
    }
    if (code == LEAT_OK) *out = zones[at].zone;
    pthread_mutex_unlock(&zones_lock);
    return code;
}

static int64_t floor_seconds(int64_t us)
{
    return us / 1000000 - (us % 1000000 < 0);
}

int64_t leat_zone_offset_s(const leat_zone *zone, int64_t utc_us)
{
    if (!zone || zone->count == 0) return zone ? zone->first_offset_s : 0;
    int64_t at_s = floor_seconds(utc_us);
    int32_t low = 0, high = zone->count; /* the first transition after the instant */
    while (low < high) {
        int32_t middle = (low + high) / 2;
        if (zone->at_s[middle] <= at_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? zone->first_offset_s : zone->offsets_s[low - 1];
}

int64_t leat_zone_to_utc_us(const leat_zone *zone, int64_t local_us)
{
    const int64_t day_us = INT64_C(86400000000);
    int64_t before_s = leat_zone_offset_s(zone, local_us - day_us);
    int64_t with_before = local_us - before_s * 1000000;
    if (leat_zone_offset_s(zone, with_before) == before_s) return with_before; /* also the earlier of two */
    int64_t after_s = leat_zone_offset_s(zone, local_us + day_us);
    int64_t with_after = local_us - after_s * 1000000;
    return leat_zone_offset_s(zone, with_after) == after_s ? with_after : with_before;
}
