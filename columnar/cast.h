/* Parts of leat_cast_select. */
#pragma once

#include "columnar/kernel.h"

leat_kernel_choice leat_cast_select_from_text(const leat_type *to, bool is_try);
leat_kernel_choice leat_cast_select_to_text(void);
leat_kernel_choice leat_cast_select_bytes(void);
/* run is NULL when there is none. */
leat_kernel_choice leat_cast_select_time(const leat_type *from, const leat_type *to);
