/* Included by force in every C file: functions that are easy to misuse do not compile. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A library's header whose macros use such functions comes first: c_args: '-DLEAT_BEFORE_BANNED=<mysql.h>'. */
#ifdef LEAT_BEFORE_BANNED
#include LEAT_BEFORE_BANNED
#endif

#undef alloca
#pragma GCC poison strcpy strcat strncpy sprintf vsprintf strtok gmtime localtime ctime atoi atol atof alloca gets
