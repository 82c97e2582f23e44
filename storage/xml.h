/* Reads the XML of S3's answers: elements and their texts, one event after the other. Untrusted: strict (every tag is
 * closed in its order, one root), bounded, without document types, so that no entity can be declared. Attributes and
 * name space prefixes are passed over. Not thread-safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/bytes.h"

enum { LEAT_XML_DEPTH_MAX = 16, LEAT_XML_TEXT_BYTES_MAX = 1 << 16 };

typedef enum leat_xml_event {
    LEAT_XML_OPEN,
    LEAT_XML_CLOSE, /* `text` is what stood in the element, if it holds no others */
    LEAT_XML_END,
} leat_xml_event;

typedef struct leat_xml_name {
    const char *at; /* in the input */
    size_t length;
} leat_xml_name;

typedef struct leat_xml {
    const char *start, *at, *end;
    leat_xml_name open[LEAT_XML_DEPTH_MAX];
    int depth; /* elements that are open now; after CLOSE without the closed one */
    bool has_root, closes_next;
    leat_xml_name name; /* of the event */
    leat_bytes text;    /* after CLOSE, NUL-terminated */
} leat_xml;

/* The bytes are borrowed. */
void leat_xml_init(leat_xml *xml, const void *data, size_t size);
void leat_xml_done(leat_xml *xml);
/* LEAT_CORRUPT with the offset for what is not such XML. */
LEAT_CHECKED leat_code leat_xml_next(leat_xml *xml, leat_xml_event *out, leat_error *error);
/* Whether the event's element has this name, and stands directly in `parent` (NULL: it is the root). After CLOSE. */
bool leat_xml_is(const leat_xml *xml, const char *parent, const char *name);
