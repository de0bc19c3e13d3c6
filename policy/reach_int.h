/* What the files of policy/reach share: reach.c (the search), reach_class.c (what the policy tells apart),
 * reach_time.c (moments), reach_rule.c (rules as formulas), reach_gate.c (what stands before a rule),
 * reach_walk.c (facts, and what decide() makes of them). */
#ifndef POLICY_REACH_INT_H
#define POLICY_REACH_INT_H

#include "policy/cover.h"
#include "policy/image.h"
#include "policy/reach.h"
#include "policy/solve.h"

/* Variables. Each ranges over classes: values between which no rule makes a difference. Behind these follow
 * those with two classes, no and yes: attribute groups, leak patterns, and categories; of which those that a
 * path can add have two more. */
enum {
    V_SRC,      /* client address (and VPN): pieces of the address space */
    V_USER,     /* unidentified, unknown, then each user; for each age of an identity */
    V_DST,      /* destination address: not known, then pieces of the address space */
    V_PORT,     /* protocol and port */
    V_NAME,     /* no name, a name that no rule names, then those that rules name, by their last label */
    V_SEEN,     /* whether there is a request that is seen: no, yes */
    V_METHOD,   /* one that no rule names, then each; V_TYPE and V_APP likewise */
    V_UPLOAD,   /* no, yes */
    V_PATH,     /* one that no rule names, then each, parents first */
    V_TIME,     /* moments that differ in what is on */
    V_TYPE,     /* of content */
    V_SEVERITY, /* of the signature that matched: none, 1, 2, ... */
    V_VIRUS,    /* no, yes */
    V_APP,      /* not known, another one, then each */
    V_DEFECT,   /* of a certificate */
    V_FIXED
};

/* Classes of a category. */
enum {
    C_NO,
    C_YES,   /* by the name */
    C_PATH,  /* by this path: known when the request is seen */
    C_OTHER, /* not, but by other paths of the name: before the request is seen that is the same */
    C_N
};

/* From where a rule is looked at. What is not known counts as no match but in VIEW_MAY. */
enum view {
    VIEW_FINAL, /* when all is known that will be */
    VIEW_MAY,   /* before the request is seen: matches, or is open */
    VIEW_SURE,  /* before the request is seen: matches whatever it will be */
    VIEWS
};

/* A client or destination address: which piece of the address space. */
struct place {
    struct addr addr; /* one of it */
    unsigned __int128 lo;
    uint16_t zone;
    span vpn; /* of clients */
};
struct places {
    struct place *v;
    uint32_t n, first_v6;        /* sorted; IPv4 first */
    uint32_t skip;               /* classes before the first of them */
    uint32_t copies;             /* how often the n stand there: once, and once per VPN zone */
    const struct iset **of_zone; /* by number; made when asked for */
};

/* Words that rules name, in an order in which what lies under a word follows it. */
struct words_of {
    span *v;
    uint32_t n, skip; /* classes before the first of them */
    uint8_t sep;      /* what stands between a word and what lies under it; 0: nothing does */
    bool back;        /* names: read from their end */
};

struct port_at {
    uint8_t proto;
    uint16_t port;
};

/* Some rules of a table, as formulas of one view. */
struct line {
    struct cover *cover; /* NULL: not made yet */
    uint32_t *rule;      /* number of each, ascending */
};

/* What decide() was asked. */
struct asked {
    uint64_t steps; /* that it took, roughly */
    bool known;
    uint32_t *choice; /* of which it was asked last when the connection is made, and its answer */
    struct verdict verdict;
};

struct model {
    const struct tree *t;
    const struct snapshot *snap;
    struct arena mem; /* lives as long as the model */
    uint32_t n_vars, n_classes[V_FIXED], prefer[V_FIXED];
    const struct iset **dom; /* domains to begin with */
    uint32_t first_cat, first_attr, first_pattern;
    struct places src, dst;
    struct words_of names, methods, paths, types, apps, patterns, attrs;
    span other_name;                /* under none that rules name */
    const struct user_decl **users; /* by number */
    struct port_at *ports;          /* first of each class */
    uint32_t *ages;                 /* seconds; of each age class */
    uint32_t n_ages;
    int64_t *times;                  /* a moment of each class; by malloc */
    const struct iset **of_schedule; /* by number; made when asked for */
    const struct rule **rules;       /* by number */
    uint32_t n_rules;
    const struct formula **formula[VIEWS]; /* by number; made when first asked for */
    uint64_t url_cats[FACTS_CAT_WORDS];    /* categories that a path can add */
    const uint32_t *choice;                /* that is being walked */
    struct asked *asked;
    const struct formula **gate[2]; /* by number of the rule that stops, then by table; made when asked for */
    struct line lets_on[2][TABLE_N]; /* rules of the table that do not stop a flow; [1]: if closed */
    struct line all[TABLE_N];
    const struct group_decl **groups; /* by number */
    const struct formula **of_group;  /* the same; made when asked for */
    const struct formula *unidentified, *no_category[VIEWS + 1];
    bool exempts; /* some flow may pass without being decrypted */
};

/* ---- reach_class.c ---- */
/* `complete`: false when there are more moments to tell apart than are looked at: then nothing is proven. */
bool model_classes(struct model *m, int64_t now, bool *complete) MUST_USE;
const struct iset *class_network(struct model *m, const struct places *p, const struct prefix *net);
const struct iset *class_zone(struct model *m, const struct places *p, uint32_t zone);
/* Of a word and what lies under it. */
const struct iset *class_under(struct model *m, const struct words_of *w, span word);
const struct iset *class_ports(struct model *m, uint8_t proto, uint32_t lo, uint32_t hi);
/* Of a user, of nobody, or of anybody, with an identity that is no older than that (0: however old). */
const struct iset *class_user(struct model *m, uint32_t user, uint32_t stale_s);
const struct iset *class_nobody(struct model *m);
const struct iset *class_fresh(struct model *m, uint32_t stale_s);

static inline bool class_has_urls(const struct model *m, uint32_t category)
{
    return m->url_cats[category / 64] >> (category % 64) & 1;
}

/* ---- reach_time.c ---- */
bool model_times(struct model *m, int64_t now, bool *complete) MUST_USE;
const struct iset *class_schedule(struct model *m, uint32_t schedule);
const struct iset *class_between(struct model *m, int64_t since, int64_t until);

/* ---- reach_rule.c ---- */
/* Formula of a rule: what must hold for it to match in that view. */
const struct formula *rule_formula(struct model *m, uint32_t number, enum view view);
/* The same, whatever the time. */
const struct formula *rule_timeless(struct model *m, uint32_t number);
const struct formula *formula_in(struct model *m, uint32_t var, const struct iset *set);
const struct formula *formula_not(struct arena *mem, const struct formula *f);
const struct formula *formula_list(struct arena *mem, bool all, const struct formula **part, uint32_t n);
/* Whether it asks about the request or what it carries. */
bool rule_asks_request(const struct rule *r);
bool rule_blocks(const struct rule *r);
enum table rule_table(const struct model *m, uint32_t number);

/* ---- reach_gate.c ---- */
/* A way past a rule (RULE_NONE: the default) of a table that stopped a flow: it does not match, or one before
 * it does that lets the flow on. `closed`: where no request will be seen. NULL without memory. */
const struct formula *gate_formula(struct model *m, enum table table, uint32_t rule, bool closed);
/* The first rule that matches the choice, of those before `number` in its table and for its event; RULE_NONE.
 */
uint32_t first_match(struct model *m, uint32_t number, const uint32_t *choice);

/* ---- reach_walk.c ---- */
/* What came out of trying facts for a rule. */
struct walked {
    enum {
        WALK_DECIDES,
        WALK_EARLIER, /* `rule` of its own table came first */
        WALK_OPEN,    /* `rule`, before it, could still allow */
        WALK_GATE,    /* stopped by `rule` (or the default, RULE_NONE) of `table`, a step before */
        WALK_UNCLEAR
    } how;
    enum table table;
    uint32_t rule;
    bool closed; /* of a gate: where no request will be seen */
};
/* Facts for a choice of classes (one a variable); false when they do not go together. */
bool walk_facts(const struct model *m, const uint32_t *choice, struct facts *f);
/* `early`: before the request is seen, where it blocks by what is known. `mod`: for `set`, which modifier. */
struct walked walk_rule(const struct model *m, uint32_t number, bool early, const struct set_part *mod,
                        struct facts *f);

#endif
