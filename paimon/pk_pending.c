/* What primary-key tables do not have yet is refused here by name; goes when paimon/pk has the planning. */
#include "paimon/pk.h"

leat_code leat_paimon_plan_pk_sink(const leat_plan_context *context, const leat_table *table,
                                   const leat_paimon_table *paimon_table, const leat_sink_request *request,
                                   leat_sink_plan *out, leat_error *error)
{
    (void)context;
    (void)paimon_table;
    (void)request;
    (void)out;
    return leat_fail(error, LEAT_UNSUPPORTED, "writing '%s': tables with a primary key cannot be written yet",
                     table->name);
}

leat_code leat_paimon_plan_lookup(const leat_plan_context *context, const leat_table *table,
                                  const leat_paimon_table *paimon_table, const int32_t *keys, int32_t keys_count,
                                  const int32_t *columns, int32_t columns_count, leat_lookup_plan *out,
                                  leat_error *error)
{
    (void)context;
    (void)paimon_table;
    (void)keys;
    (void)keys_count;
    (void)columns;
    (void)columns_count;
    (void)out;
    return leat_fail(error, LEAT_UNSUPPORTED, "looking up '%s': Paimon tables cannot be looked up yet", table->name);
}

leat_code leat_paimon_pk_check(const leat_paimon_schema *schema, leat_error *error)
{
    (void)schema;
    (void)error;
    return LEAT_OK;
}
