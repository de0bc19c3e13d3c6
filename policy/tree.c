/* The tree's beginning and end, and the words of the tables; see tree.h. */
#include "policy/tree.h"

#include "gw/base/obj.h"

void tree_init(struct tree *t)
{
    *t = (struct tree){.set.private_block = true};
    arena_init(&t->mem, LIM_POLICY_TREE_BYTES);
    t->zones.last = &t->zones.first;
    t->groups.last = &t->groups.first;
    t->categories.last = &t->categories.first;
    t->hosts.last = &t->hosts.first;
    t->services.last = &t->services.first;
    t->users.last = &t->users.first;
    t->nodes.last = &t->nodes.first;
    t->rules.last = &t->rules.first;
    t->expects.last = &t->expects.first;
    map_init(&t->zone_map, 0);
    map_init(&t->group_map, 0);
    map_init(&t->category_map, 0);
    map_init(&t->host_map, 0);
    map_init(&t->service_map, 0);
    map_init(&t->user_map, 0);
}

void tree_fini(struct tree *t)
{
    map_fini(&t->zone_map);
    map_fini(&t->group_map);
    map_fini(&t->category_map);
    map_fini(&t->host_map);
    map_fini(&t->service_map);
    map_fini(&t->user_map);
    arena_fini(&t->mem);
}

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
    return b == BLOCK_TLS   ? SPAN("tls")
           : b == BLOCK_WEB ? SPAN("web")
           : b == BLOCK_ON  ? SPAN("on")
                            : SPAN("expect");
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

span event_word(enum on_event e)
{
    static const char *const words[] = {
#define O(id, word, answers, lacks, def) word,
#include "policy/event.tbl"
#undef O
    };
    return span_str((unsigned)e < ON_N ? words[e] : NULL);
}

span answer_word(enum on_answer a)
{
    static const char *const words[ANSWER_N] = {[ANSWER_HOLD] = "hold",
                                                [ANSWER_BLOCK] = "block",
                                                [ANSWER_ALLOW] = "allow",
                                                [ANSWER_CLOSED] = "closed",
                                                [ANSWER_OPEN] = "open"};
    return span_str((unsigned)a < ANSWER_N ? words[a] : NULL);
}
