/* The words of the language as numbers: verbs, nouns, blocks, defects, events, answers. Rows of the tables.
 */
#ifndef POLICY_WORDS_H
#define POLICY_WORDS_H

#include "policy/snapshot.h"

/* Blocks, as bits. */
enum block {
    BLOCK_TLS = 1,
    BLOCK_WEB = 2,
    BLOCK_ON = 4,
    BLOCK_EXPECT = 8,
    BLOCK_FIREWALL = 16,
    BLOCK_CONTENT = 32,
    BLOCK_DNS = 64,
    BLOCK_OBSERVE = 128,
    BLOCK_DELEGATE = 256, /* whose file it is */
    BLOCK_CEILING = 512,  /* what it may grant */
    BLOCK_NAMED = BLOCK_TLS | BLOCK_WEB | BLOCK_CONTENT | BLOCK_DNS,
    BLOCK_DECIDE = BLOCK_FIREWALL | BLOCK_NAMED
};

enum verb {
#define V(id, word, blocks, text) VERB_##id,
#include "policy/verb.tbl"
#undef V
    VERB_N
};

enum noun {
#define N(id, word, dim, blocks, text) NOUN_##id,
#include "policy/noun.tbl"
#undef N
    NOUN_N
};

/* Text of tables. */
span verb_word(enum verb v);
span noun_word(enum noun n);
span block_word(enum block b);
span defect_word(unsigned bit);
/* Classes of content and leak patterns by position in their tables; empty behind the last one. */
span type_word(unsigned i);
span pattern_word(unsigned i);
/* Event and answer names of `on` lines. */
span event_word(enum on_event e);
span answer_word(enum on_answer a);

#endif
