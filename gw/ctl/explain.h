/* The chain of a decision for people and programs: one object a step. */
#ifndef GW_CTL_EXPLAIN_H
#define GW_CTL_EXPLAIN_H

#include <jansson.h>

#include "policy/decide.h"
#include "policy/snapshot.h"

struct ctl;

/* What was said on the command line. */
struct words {
    const char *file, *snapshot, *journal, *from, *user, *method, *certificate, *node, *at_text, *target;
    const char *attr[FACTS_MAX_ATTRS];
    unsigned n_attrs;
    int64_t at;
    bool upload, brief;
};

/* The decision with this code, from the journal. */
int explain_code(const struct ctl *ctl, const struct words *w, unsigned node, uint64_t number);

/* What is known of a decision besides its facts. */
struct explain_subject {
    const struct snapshot *snap;
    const struct facts *facts;
    const struct verdict *verdict;
    uint64_t took_ns;
    span user;  /* stands in for the user's name: the pseudonym of a record; empty: none */
    bool brief; /* leave out rules that do not match */
};

/* Appends {"step": WORD, "text": SENTENCE}. */
void chain_say(json_t *chain, const char *step, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Who asked for what, as the policy sees it: zone, identity, groups, hello or request, categories. */
void chain_facts(json_t *chain, const struct explain_subject *s);
/* Its categories again, with the entries that say so: for when the path, known now, has changed them. */
void chain_categories(json_t *chain, const struct explain_subject *s);
/* One entry that says so: "streaming: ut1 radio, /lists/radio/domains, line 3: `video.example`"; what
 * `except` took out is said too. */
void chain_hit(json_t *chain, const struct snapshot *snap, const struct category_hit *h);
enum { CHAIN_HITS = 64 };
/* One step of the way: its rules until the one that decided, then the verdict. */
void chain_decision(json_t *chain, const struct explain_subject *s);
/* The verdict in one sentence; the caller frees it. */
char *explain_verdict(const struct snapshot *snap, const struct verdict *v);
void chain_print(json_t *chain);

#endif
