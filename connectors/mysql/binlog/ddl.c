#include "connectors/mysql/binlog/ddl.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

typedef struct token {
    char text[LEAT_DDL_NAME_BYTES];  /* cut when longer */
    bool is_word, is_quoted, is_end; /* neither: one other character, or a string */
} token;

typedef struct lexer {
    const char *at, *end;
    bool has_ansi_quotes;
} lexer;

static void skip_to(lexer *self, const char *what)
{
    size_t size = strlen(what);
    while (self->at + size <= self->end && strncmp(self->at, what, size) != 0)
        self->at++;
    self->at = self->at + size <= self->end ? self->at + size : self->end;
}

/* Blanks and comments. What stands in version comments counts: only their marks are passed over. */
static void skip_blank(lexer *self)
{
    while (self->at < self->end) {
        size_t left = (size_t)(self->end - self->at);
        if (isspace((unsigned char)*self->at) || *self->at == ';') {
            self->at++;
        } else if (*self->at == '#' ||
                   (left > 2 && strncmp(self->at, "--", 2) == 0 && isspace((unsigned char)self->at[2]))) {
            skip_to(self, "\n");
        } else if (left > 3 && strncmp(self->at, "/*", 2) == 0 && (self->at[2] == '!' || self->at[2] == 'M')) {
            self->at += self->at[2] == 'M' ? 4 : 3;
            while (self->at < self->end && isdigit((unsigned char)*self->at))
                self->at++;
        } else if (left > 1 && strncmp(self->at, "/*", 2) == 0) {
            skip_to(self, "*/");
        } else if (left > 1 && strncmp(self->at, "*/", 2) == 0) {
            self->at += 2;
        } else {
            return;
        }
    }
}

static void take_quoted(lexer *self, char quote, token *out)
{
    size_t used = 0;
    for (self->at++; self->at < self->end; self->at++) {
        if (*self->at == quote) {
            if (self->at + 1 == self->end || self->at[1] != quote) break;
            self->at++;
        }
        if (used + 1 < sizeof out->text) out->text[used++] = *self->at;
    }
    if (self->at < self->end) self->at++;
    out->text[used] = '\0';
}

static void skip_string(lexer *self)
{
    for (self->at++; self->at < self->end && *self->at != '\''; self->at++)
        if (*self->at == '\\' && self->at + 1 < self->end) self->at++;
    if (self->at < self->end) self->at++;
}

static bool is_word_byte(char byte)
{
    return isalnum((unsigned char)byte) || byte == '_' || byte == '$' || (unsigned char)byte >= 0x80;
}

static void next(lexer *self, token *out)
{
    *out = (token){0};
    skip_blank(self);
    if (self->at >= self->end) {
        out->is_end = true;
    } else if (*self->at == '`' || (*self->at == '"' && self->has_ansi_quotes)) {
        out->is_word = out->is_quoted = true;
        take_quoted(self, *self->at, out);
    } else if (*self->at == '\'') {
        skip_string(self);
        out->text[0] = '\'';
    } else if (is_word_byte(*self->at)) {
        out->is_word = true;
        size_t used = 0;
        for (; self->at < self->end && is_word_byte(*self->at); self->at++)
            if (used + 1 < sizeof out->text) out->text[used++] = *self->at;
    } else {
        out->text[0] = *self->at++;
    }
}

static bool is(const token *word, const char *text)
{
    return word->is_word && !word->is_quoted && strcasecmp(word->text, text) == 0;
}

/* `current` is the first token of a name; afterwards the one behind it. */
static bool take_name(lexer *self, const leat_binlog_query *query, token *current, leat_ddl *out)
{
    if (!current->is_word || out->names_count == LEAT_DDL_NAMES_MAX) return false;
    leat_ddl_name *name = &out->names[out->names_count++];
    memcpy(name->table, current->text, sizeof name->table);
    snprintf(name->database, sizeof name->database, "%.*s", (int)query->database_size, query->database);
    next(self, current);
    if (current->text[0] != '.' || current->is_word) return true;
    next(self, current);
    memcpy(name->database, name->table, sizeof name->database);
    memcpy(name->table, current->text, sizeof name->table);
    next(self, current);
    return true;
}

static void skip_words(lexer *self, token *current, const char *const *words)
{
    for (int i = 0; words[i]; i++) {
        if (is(current, words[i])) {
            next(self, current);
            i = -1;
        }
    }
}

static const char *const between[] = {"OR",     "REPLACE", "TEMPORARY", "IF",     "NOT",
                                      "EXISTS", "ONLINE",  "OFFLINE",   "IGNORE", NULL};

static void read_alter(lexer *self, const leat_binlog_query *query, token *current, leat_ddl *out)
{
    out->kind = LEAT_DDL_ALTER;
    if (!take_name(self, query, current, out)) return;
    for (; !current->is_end; next(self, current)) {
        if (!is(current, "RENAME")) continue;
        next(self, current);
        bool is_column = is(current, "COLUMN") || is(current, "INDEX") || is(current, "KEY");
        if (is_column) continue;
        if (is(current, "TO") || is(current, "AS") || current->text[0] == '=') next(self, current);
        out->kind = LEAT_DDL_RENAME;
        (void)take_name(self, query, current, out);
        return;
    }
}

static void read_list(lexer *self, const leat_binlog_query *query, token *current, leat_ddl *out)
{
    while (take_name(self, query, current, out)) {
        bool goes_on = (!current->is_word && current->text[0] == ',') || is(current, "TO");
        if (!goes_on) return;
        next(self, current);
    }
}

static void read_table_statement(lexer *self, const leat_binlog_query *query, token *current, leat_ddl_kind kind,
                                 leat_ddl *out)
{
    next(self, current);
    skip_words(self, current, between);
    bool is_table = is(current, "TABLE") || is(current, "TABLES");
    if (!is_table && kind != LEAT_DDL_TRUNCATE) return; /* a view, an index, a user, … */
    if (is_table) next(self, current);
    skip_words(self, current, between);
    out->kind = kind;
    if (kind == LEAT_DDL_ALTER)
        read_alter(self, query, current, out);
    else
        read_list(self, query, current, out);
}

void leat_ddl_read(const leat_binlog_query *query, leat_ddl *out)
{
    static const struct {
        const char *word;
        leat_ddl_kind kind;
    } firsts[] = {
        {"BEGIN", LEAT_DDL_BEGIN},
        {"START", LEAT_DDL_BEGIN},
        {"COMMIT", LEAT_DDL_COMMIT},
        {"ROLLBACK", LEAT_DDL_COMMIT},
        {"XA", LEAT_DDL_XA},
        {"SAVEPOINT", LEAT_DDL_SAVEPOINT},
        {"RELEASE", LEAT_DDL_SAVEPOINT},
        {"ALTER", LEAT_DDL_ALTER},
        {"CREATE", LEAT_DDL_CREATE},
        {"DROP", LEAT_DDL_DROP},
        {"TRUNCATE", LEAT_DDL_TRUNCATE},
        {"RENAME", LEAT_DDL_RENAME},
        {"INSERT", LEAT_DDL_DML},
        {"UPDATE", LEAT_DDL_DML},
        {"DELETE", LEAT_DDL_DML},
        {"REPLACE", LEAT_DDL_DML},
        {"LOAD", LEAT_DDL_DML},
    };
    out->kind = LEAT_DDL_OTHER;
    out->names_count = 0;
    lexer self = {query->sql, query->sql + query->sql_size, query->has_ansi_quotes};
    token current;
    next(&self, &current);
    if (is(&current, "SET")) { /* MariaDB: SET STATEMENT … FOR <statement> */
        while (!current.is_end && !is(&current, "FOR"))
            next(&self, &current);
        next(&self, &current);
    }
    leat_ddl_kind kind = LEAT_DDL_OTHER;
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        if (is(&current, firsts[i].word)) kind = firsts[i].kind;
    }
    if (kind >= LEAT_DDL_ALTER && kind <= LEAT_DDL_RENAME) {
        read_table_statement(&self, query, &current, kind, out);
        return;
    }
    out->kind = kind;
    if (kind != LEAT_DDL_COMMIT) return;
    next(&self, &current);
    if (is(&current, "TO") || is(&current, "WORK")) out->kind = is(&current, "TO") ? LEAT_DDL_SAVEPOINT : kind;
}

bool leat_ddl_mentions(const leat_binlog_query *query, const char *name)
{
    lexer self = {query->sql, query->sql + query->sql_size, query->has_ansi_quotes};
    token current;
    do {
        next(&self, &current);
        if (current.is_word && strcasecmp(current.text, name) == 0) return true;
    } while (!current.is_end);
    return false;
}
