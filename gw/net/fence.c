/* What may be dialled; see fence.h. An IPv6 address that carries an IPv4 address for a translator is judged
 * as both: who relays it decides which of them is reached. */
#include "gw/net/fence.h"

#include "gw/base/obj.h"
#include "gw/net/own.h"

/* Services that answer whoever asks from the right machine with its credentials. The link-local ones are
 * refused anyway; these are in ranges that a policy may open, or look public. */
static bool is_metadata(const struct addr *a)
{
    static const char *const at[] = {
        "169.254.169.254",    /* nearly all of them */
        "fd00:ec2::254",      /* Amazon */
        "fd20:ce::254",       /* Google */
        "fd00:c1::a9fe:a9fe", /* Oracle */
        "100.100.100.200",    /* Alibaba */
        "192.0.0.192",        /* Oracle */
        "168.63.129.16",      /* Azure: a public address that each of its networks answers itself */
    };
    static struct addr parsed[N_ELEMS(at)];
    for (size_t i = 0; i < N_ELEMS(at); i++) {
        if (parsed[i].family == 0 && !addr_parse(span_str(at[i]), &parsed[i]))
            return true;
        if (addr_eq(&parsed[i], a))
            return true;
    }
    return false;
}

static bool is_in(const struct prefix *list, size_t n, const struct addr *a)
{
    for (size_t i = 0; i < n; i++) {
        if (prefix_has(&list[i], a))
            return true;
    }
    return false;
}

static enum fence judge_one(const struct fence_rules *r, const struct addr *a)
{
    if (is_metadata(a))
        return FENCE_METADATA;
    if (a->family == 0 || addr_is_local(a))
        return FENCE_LOCAL;
    if (is_in(r->management, r->n_management, a))
        return FENCE_MANAGEMENT;
    if (r->private_block && addr_is_private(a) && !is_in(r->open, r->n_open, a))
        return FENCE_PRIVATE;
    return FENCE_OK;
}

enum fence fence_judge(const struct fence_rules *r, const struct addr *a)
{
    struct addr inside;
    enum fence g = addr_embedded_v4(a, &inside) ? judge_one(r, &inside) : FENCE_OK;
    return g == FENCE_OK ? judge_one(r, a) : g;
}

enum fence fence_dial(const struct fence_rules *r, const struct addr *a)
{
    struct addr inside;
    enum fence g = fence_judge(r, a);
    if (g != FENCE_OK && g != FENCE_PRIVATE)
        return g;
    if (own_addr(a) || (addr_embedded_v4(a, &inside) && own_addr(&inside)))
        return FENCE_OWN; /* what holds always is told before what policy could open */
    return g;
}

const char *fence_name(enum fence g)
{
    static const char *const names[FENCE_N] = {[FENCE_OK] = "",
                                               [FENCE_OWN] = "own-address",
                                               [FENCE_LOCAL] = "local-address",
                                               [FENCE_METADATA] = "metadata-service",
                                               [FENCE_MANAGEMENT] = "management-network",
                                               [FENCE_PRIVATE] = "private-address"};
    return names[g];
}
