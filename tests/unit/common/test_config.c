#include "tests/unit.h"
int main(void)
{
    return 0;
}
