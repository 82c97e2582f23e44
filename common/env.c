#include "common/env.h"

#include <inttypes.h>
#include <stdio.h>

void leat_env_uuid(leat_env *env, char out[37])
{
    uint64_t high = leat_env_random(env), low = leat_env_random(env);
    high = (high & ~UINT64_C(0xf000)) | UINT64_C(0x4000);
    low = (low & ~(UINT64_C(3) << 62)) | (UINT64_C(1) << 63);
    snprintf(out, 37, "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64, high >> 32,
             (high >> 16) & 0xffff, high & 0xffff, low >> 48, low & UINT64_C(0xffffffffffff));
}
