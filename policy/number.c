/* As policy/index numbers them: rules keep their order inside their table, those of delegated files ahead of
 * the others in `web`. See number.h. */
#include "policy/number.h"

#include "policy/index.h"

void number_rules(const struct tree *t, const struct snapshot *snap,
                  void (*each)(void *arg, uint32_t number, struct rule *r), void *arg)
{
    uint32_t next[2][TABLE_N];
    for (unsigned i = 0; i < TABLE_N; i++)
        next[0][i] = next[1][i] = snap->img.TABLES[i].rules.at;
    next[0][TABLE_WEB] += snap->img.TABLES[TABLE_WEB].lead;
    for (struct rule *r = t->rules.first; r; r = r->next) {
        enum table table = index_table(r);
        if (table != TABLE_N)
            each(arg, next[table == TABLE_WEB && r->delegate][table]++, r);
    }
}
