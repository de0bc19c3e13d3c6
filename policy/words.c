/* Texts of the tables; see words.h. */
#include "policy/words.h"

#include "gw/base/obj.h"

span verb_word(enum verb v)
{
    static const char *const words[] = {
#define V(id, word, blocks, text) word,
#include "policy/verb.tbl"
#undef V
    };
    return span_str((unsigned)v < VERB_N ? words[v] : NULL);
}

span noun_word(enum noun n)
{
    static const char *const words[] = {
#define N(id, word, dim, blocks, text) word,
#include "policy/noun.tbl"
#undef N
    };
    return span_str((unsigned)n < NOUN_N ? words[n] : NULL);
}

span block_word(enum block b)
{
    static const char *const words[] = {"tls",     "web", "on",      "expect",   "firewall",
                                        "content", "dns", "observe", "delegate", "delegate"};
    unsigned bit = (unsigned)__builtin_ctz(b | 1u << N_ELEMS(words));
    return span_str(bit < N_ELEMS(words) ? words[bit] : NULL);
}

span defect_word(unsigned bit)
{
    static const char *const words[] = {
#define D(id, name, text) name,
#include "certs/defect.tbl"
#undef D
    };
    return span_str(bit < N_ELEMS(words) ? words[bit] : NULL);
}

span type_word(unsigned i)
{
    static const char *const words[] = {
#define T(word, text) word,
#include "policy/type.tbl"
#undef T
    };
    return span_str(i < N_ELEMS(words) ? words[i] : NULL);
}

span pattern_word(unsigned i)
{
    static const char *const words[] = {
#define P(word, text) word,
#include "policy/pattern.tbl"
#undef P
    };
    return span_str(i < N_ELEMS(words) ? words[i] : NULL);
}

span event_word(enum on_event e)
{
    static const char *const words[] = {
#define O(id, word, answers, def) word,
#include "policy/event.tbl"
#undef O
    };
    return span_str((unsigned)e < ON_N ? words[e] : NULL);
}

span answer_word(enum on_answer a)
{
    static const char *const words[ANSWER_N] = {
        [ANSWER_HOLD] = "hold",     [ANSWER_BLOCK] = "block", [ANSWER_ALLOW] = "allow",
        [ANSWER_CLOSED] = "closed", [ANSWER_OPEN] = "open",   [ANSWER_EXEMPT] = "exempt"};
    return span_str((unsigned)a < ANSWER_N ? words[a] : NULL);
}
