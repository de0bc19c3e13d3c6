/* What can be seen of the order of rules before anything is built; see checker.h. What is never reached is
 * for check_reach.c. */
#include "policy/checker.h"

void check_order(struct diag *d)
{
    bool web = false;
    for (const struct rule *r = d->tree->rules.first; r; r = r->next)
        web = web || (r->block == BLOCK_WEB && !r->delegate);
    if (!web && d->tree->n_files)
        diag_warn(d, (struct pos){.line = 1}, "add `web { allow any }`",
                  "no rule in a `web` block: everything is blocked");
    check_layers(d);
}
