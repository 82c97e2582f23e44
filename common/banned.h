/* Included by force in every C file: functions that are easy to misuse do not compile. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef alloca
#pragma GCC poison strcpy strcat strncpy sprintf vsprintf strtok gmtime localtime ctime atoi atol atof alloca gets
