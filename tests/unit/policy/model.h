/* A model of the evaluator: a policy drawn at random, as text for the compiler and as plain rules, and what
 * it should decide, found by asking one rule after the other. Knows nothing of policy/decide but its types.
 */
#ifndef TESTS_UNIT_POLICY_MODEL_H
#define TESTS_UNIT_POLICY_MODEL_H

#include "policy/image.h"
#include "tests/unit/policy/snap_help.h"

enum {
    CATEGORY,
    FOR,
    DOMAIN,
    FROM,
    TO,
    PORT,
    METHOD,
    UPLOAD,
    PATH,
    DURING,
    TYPE,
    SIGNATURE,
    VIRUS,
    PATTERN,
    APPLICATION,
    NOUNS
};
enum { EXEMPT, INSPECT, ALLOW, BLOCK, FORBID, WARN, SET, LOG, VERBS };
enum { IN_FIREWALL, IN_TLS, IN_WEB, IN_CONTENT, IN_DNS, BLOCKS };
enum { NO, YES, OPEN };
enum { LISTS_NONE, LISTS_URLS, LISTS_EXPRESSIONS /* and URLs */, LISTS };
enum { MODEL_RULES = 1500 };

/* Facts are drawn from these six days around the clock's change on 28 March 2027. */
enum { TIME_FIRST = 1805932800, TIME_SPAN = 6 * 86400 };

struct mrule {
    unsigned verb, block, mods;
    bool delegated;
    unsigned want[NOUNS], except[NOUNS]; /* bits of the noun's values; 0: not asked */
    int64_t since, until, observe_until;
};

struct mtable {
    struct mrule rule[MODEL_RULES];
    unsigned n;
    uint32_t first; /* number of the first one in the snapshot */
};

struct model {
    struct snapshot *snap;
    struct mtable firewall, tls, web, content, dns, set, log, observe;
    bool has_firewall;
    unsigned lead;  /* rules of `web` that a delegated file holds */
    unsigned lists; /* LISTS_...: what its categories name beside domains */
};

struct outcome {
    enum action action;
    enum why why;
    uint32_t rule;
    uint64_t waits;
    bool observed, forbid;
    unsigned n_logs, n_mods;
    uint32_t logs[VERDICT_MAX_LOGS], mods[VERDICT_MAX_MODS];
};

void draw_seed(uint64_t n);
unsigned draw(unsigned n);
/* A policy with up to `most` rules in `web`, compiled. */
void model_draw(struct model *m, unsigned most);
void model_free(struct model *m);
struct outcome model_decide(const struct model *m, const struct facts *f);
struct outcome model_dns(const struct model *m, const struct facts *f);
/* How one rule stands to the facts; what it waits for when it is OPEN. */
int model_match(const struct model *m, const struct mrule *r, const struct facts *f, uint64_t *waits);
/* Whether anything that hangs on time is different at `at` from the second before. */
bool model_turns(const struct model *m, const struct facts *f, int64_t at);

#endif
