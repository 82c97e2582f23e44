#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/attach.h"
#include "cli/connect.h"
#include "cli/statements.h"
#include "common/memory.h"

typedef struct action_arguments {
    leat_cli_place place;
    const char *name;
    char name_room[64], key_room[128];
    json_t *arguments; /* [[key, value], …] */
    bool is_detached;
    leat_config config;
} action_arguments;

static void print_help(FILE *to)
{
    fputs(
        "Usage: leat action NAME [--KEY VALUE…] [--detach] [-D KEY=VALUE…] [--jobmanager URL] [--dir DIR]\n"
        "Run a ready-made job, and stay until it has ended (Ctrl-C cancels it). Names and keys may be written with "
        "dashes or\n"
        "underscores, values behind a blank or '='.\n\n"
        "Actions:\n"
        "  mysql_sync_table   Mirror a table of MySQL or MariaDB in a Paimon table: its rows, then every change\n"
        "      --warehouse PATH --database NAME --table NAME [--primary_keys COLUMN,…] [--partition_keys COLUMN,…]\n"
        "      --mysql_conf KEY=VALUE     hostname, port, username, password, database-name, table-name, …\n"
        "      --table_conf KEY=VALUE     options of the Paimon table: bucket, changelog-producer, sink.parallelism, "
        "…\n"
        "      --catalog_conf KEY=VALUE   options of the catalog\n\n"
        "  -D KEY=VALUE       Set an option of the job\n"
        "      --detach       Submit and return; needs a cluster\n\n"
        "Example:\n"
        "  leat action mysql_sync_table --warehouse /tmp/house --database default --table clients --primary_keys id "
        "\\\n"
        "    --mysql_conf hostname=127.0.0.1 --mysql_conf port=3306 --mysql_conf username=root --mysql_conf "
        "password=root \\\n"
        "    --mysql_conf database-name=shop --mysql_conf table-name=clients -D execution.checkpointing.interval=10s\n",
        to);
}

static int wrong(const char *format, const char *what)
{
    char text[512];
    snprintf(text, sizeof text, format, what);
    leat_cli_say("leat action: %s", text);
    leat_cli_say("hint: 'leat action --help' shows how it is written");
    return LEAT_EXIT_USAGE;
}

static void with_underscores(const char *text, size_t length, char *out, size_t size)
{
    size_t i = 0;
    for (; i < length && i < size - 1; i++)
        out[i] = (char)(text[i] == '-' ? '_' : tolower((unsigned char)text[i]));
    out[i] = '\0';
}

/* One "--key value" or "--key=value"; *at moves on. The exit code, or -1: go on. */
static int take_option(action_arguments *given, int argc, char **argv, int *at)
{
    const char *option = argv[*at] + 2, *equals = strchr(option, '=');
    with_underscores(option, equals ? (size_t)(equals - option) : strlen(option), given->key_room,
                     sizeof given->key_room);
    if (strcmp(given->key_room, "detach") == 0) {
        given->is_detached = true;
        return -1;
    }
    if (strcmp(given->key_room, "help") == 0) {
        print_help(stdout);
        return LEAT_EXIT_GOOD;
    }
    if (!equals && *at + 1 >= argc) return wrong("--%s needs a value", given->key_room);
    const char *value = equals ? equals + 1 : argv[++*at];
    if (strcmp(given->key_room, "jobmanager") == 0)
        given->place.jobmanager = value;
    else if (strcmp(given->key_room, "dir") == 0)
        given->place.dir = value;
    else if (json_array_append_new(given->arguments, json_pack("[s,s]", given->key_room, value)) != 0)
        return wrong("--%s is no UTF-8 text", given->key_room);
    return -1;
}

static int parse(action_arguments *given, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        leat_error error = {0};
        if (strncmp(argv[i], "--", 2) == 0 && argv[i][2]) {
            int exit_code = take_option(given, argc, argv, &i);
            if (exit_code >= 0) return exit_code;
        } else if (strncmp(argv[i], "-D", 2) == 0) {
            const char *pair = argv[i][2] ? argv[i] + 2 : i + 1 < argc ? argv[++i] : "";
            if (leat_config_set_pair(&given->config, pair, &error) != LEAT_OK) return wrong("%.400s", error.text);
        } else if (argv[i][0] == '-') {
            if (strcmp(argv[i], "-?") != 0) return wrong("option '%s' is not known", argv[i]);
            print_help(stdout);
            return LEAT_EXIT_GOOD;
        } else if (given->name) {
            return wrong("'%s' is one word too many", argv[i]);
        } else {
            with_underscores(argv[i], strlen(argv[i]), given->name_room, sizeof given->name_room);
            given->name = given->name_room;
        }
    }
    if (!given->name) return wrong("%s", "say which action");
    return strcmp(given->name, "mysql_sync_table") == 0 ? -1 : wrong("there is no action '%s'", given->name);
}

static leat_code submit(action_arguments *given, leat_client *client, leat_attached *attached, leat_error *error)
{
    leat_bytes path = {0};
    leat_bytes_text(&path, "/leat/v1/actions/");
    leat_client_escape(given->name, &path);
    json_t *body =
               json_pack("{s:O,s:o}", "arguments", given->arguments, "config", leat_cli_config_json(&given->config)),
           *answer = NULL;
    leat_code code = leat_bytes_check(&path, error);
    if (code == LEAT_OK) code = leat_client_json(client, "POST", (const char *)path.data, body, &answer, error);
    const char *warning = json_string_value(json_object_get(answer, "warning"));
    if (warning && warning[0]) leat_cli_say("warning: %s", warning);
    if (code == LEAT_OK && json_object_get(answer, "job")) code = leat_attached_add(attached, answer, error);
    json_decref(body);
    json_decref(answer);
    leat_bytes_done(&path);
    return code;
}

int leat_cli_action(int argc, char **argv)
{
    static action_arguments given;
    static leat_attached attached;
    given.arguments = json_array();
    int exit_code = parse(&given, argc, argv);
    if (exit_code >= 0) return exit_code;
    leat_cli_check_keys(&given.config);
    leat_connection connection = {.pipe = -1};
    leat_error error = {0};
    leat_code code = leat_connection_open(&given.place, given.is_detached ? NULL : &given.config, &connection, &error);
    attached.is_embedded = connection.is_embedded;
    if (code == LEAT_OK) code = submit(&given, connection.client, &attached, &error);
    if (code == LEAT_OK && !given.is_detached) code = leat_attached_wait(&attached, connection.client, &error);
    exit_code = code == LEAT_OK ? (attached.failed ? LEAT_EXIT_FAILED : LEAT_EXIT_GOOD) : leat_cli_failed(&error);
    if (code != LEAT_OK && connection.client && !given.is_detached) leat_attached_cancel(&attached, connection.client);
    leat_connection_done(&connection);
    json_decref(given.arguments);
    leat_config_done(&given.config);
    leat_cli_progress_end();
    return exit_code;
}
