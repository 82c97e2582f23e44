/* Puts the simulation's data file format in the place of Parquet: see rows_format.c. */
#pragma once

void sim_rows_format_add(void);
