/* What the files of `perronctl check` share. */
#ifndef GW_CTL_CHECK_H
#define GW_CTL_CHECK_H

#include "gw/ctl/ctl.h"
#include "policy/tree.h"

/* What is asked for besides errors and warnings, and what came out. */
struct check {
    const struct ctl *ctl;
    bool coverage, mutate, examples;
    int64_t now;
    void (*progress)(const char *what, unsigned long done, unsigned long total);
    json_t *answer;  /* with --json: the object that goes out */
    struct buf text; /* without: what is printed behind the warnings */
    bool wanting;    /* a rule that no expectation touches, or a change that none notices */
    enum rc rc;
};

/* For compile_opts.built; `arg` is a struct check. */
void check_more(void *arg, struct tree *t, const struct snapshot *snap);
/* Words of the policy that are checked and that nothing acts on yet: objects into `list`, or lines into
 * `text` where that is NULL. */
enum rc check_unheard(const struct tree *t, json_t *list, struct buf *text);
/* `perronctl check --format [--in-place] FILE ...`; the exit status. */
int check_format(bool in_place, int n_files, char **files);
/* A string of bytes from a policy, which need not be UTF-8 where they were cut. */
json_t *check_string(span s);

#endif
