#include "connectors/registry.h"

#include <string.h>

#include "connectors/blackhole/blackhole.h"
#include "connectors/datagen/datagen.h"
#include "connectors/faker/faker.h"
#include "connectors/filesystem/filesystem.h"
#include "connectors/jdbc/jdbc.h"
#include "connectors/mysql/cdc.h"
#include "connectors/print/print.h"
#include "paimon/connector.h"

/* Sorted by identifier. */
static const leat_connector *const connectors[] = {
    &leat_blackhole_connector, &leat_datagen_connector,   &leat_faker_connector,  &leat_filesystem_connector,
    &leat_jdbc_connector,      &leat_mysql_cdc_connector, &leat_paimon_connector, &leat_print_connector,
};

enum { CONNECTORS_COUNT = sizeof connectors / sizeof *connectors };

const leat_connector *leat_connector_find(const char *identifier)
{
    for (int i = 0; i < CONNECTORS_COUNT; i++) {
        if (strcmp(connectors[i]->identifier, identifier) == 0) return connectors[i];
    }
    return NULL;
}

const char *const *leat_connectors_list(void)
{
    static _Thread_local const char *names[CONNECTORS_COUNT + 1];
    for (int i = 0; i < CONNECTORS_COUNT; i++)
        names[i] = connectors[i]->identifier;
    return names;
}

void leat_connectors_register(leat_registry *registry)
{
    leat_registry_add_operator(registry, &leat_datagen_factory);
    leat_registry_add_operator(registry, &leat_blackhole_factory);
    leat_registry_add_operator(registry, &leat_faker_factory);
    leat_registry_add_operator(registry, &leat_filesystem_source_factory);
    leat_registry_add_operator(registry, &leat_print_factory);
    leat_registry_add_enumerator(registry, &leat_filesystem_enumerator_factory);
    leat_registry_add_operator(registry, &leat_jdbc_sink_factory);
    leat_registry_add_operator(registry, &leat_jdbc_source_factory);
    leat_registry_add_operator(registry, &leat_mysql_cdc_factory);
    leat_registry_add_enumerator(registry, &leat_mysql_cdc_enumerator_factory);
}
