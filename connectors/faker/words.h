/* Word lists of the faker. */
#pragma once

#include <stddef.h>

typedef struct leat_words {
    const char *const *list;
    size_t count;
} leat_words;
extern const leat_words leat_words_country;
extern const leat_words leat_words_hp_character;
extern const leat_words leat_words_hp_spell;
extern const leat_words leat_words_hp_book;
extern const leat_words leat_words_hp_house;
extern const leat_words leat_words_hp_location;
extern const leat_words leat_words_first_name;
extern const leat_words leat_words_last_name;
extern const leat_words leat_words_street_name;
extern const leat_words leat_words_street_suffix;
extern const leat_words leat_words_city;
extern const leat_words leat_words_state;
extern const leat_words leat_words_domain;
extern const leat_words leat_words_word;
extern const leat_words leat_words_adjective;
extern const leat_words leat_words_material;
extern const leat_words leat_words_product;
extern const leat_words leat_words_department;
