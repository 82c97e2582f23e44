#include "paimon/registry.h"

#include "paimon/append.h"
#include "paimon/commit.h"
#include "paimon/pk.h"
#include "paimon/source.h"

void leat_paimon_register(leat_registry *registry)
{
    leat_registry_add_operator(registry, &leat_paimon_append_router_factory);
    leat_registry_add_operator(registry, &leat_paimon_append_writer_factory);
    leat_registry_add_operator(registry, &leat_paimon_source_factory);
    leat_registry_add_operator(registry, &leat_paimon_pk_router_factory);
    leat_registry_add_operator(registry, &leat_paimon_bucket_assigner_factory);
    leat_registry_add_operator(registry, &leat_paimon_pk_writer_factory);
    leat_registry_add_lookup(registry, &leat_paimon_lookup_factory);
    leat_registry_add_lookup(registry, &leat_paimon_file_lookup_factory);
    leat_registry_add_enumerator(registry, &leat_paimon_source_enumerator_factory);
    leat_registry_add_committer(registry, &leat_paimon_committer_factory);
}
