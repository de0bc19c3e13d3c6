/* Hosts files: an address, then the names that it is given; see listread.h. Which address is of no interest:
 * lists write 0.0.0.0 or 127.0.0.1. A name means itself and what is below it, as in every list. */
#include "gw/base/obj.h"
#include "signatures/listread.h"

/* What stands in every hosts file and is no entry of a list. */
static bool is_own(span name)
{
    static const char *const own[] = {"localhost",      "localhost.localdomain", "local",
                                      "broadcasthost",  "ip6-localhost",         "ip6-loopback",
                                      "ip6-localnet",   "ip6-mcastprefix",       "ip6-allnodes",
                                      "ip6-allrouters", "ip6-allhosts",          "0.0.0.0"};
    for (size_t i = 0; i < N_ELEMS(own); i++) {
        if (span_ieq(name, span_str(own[i])))
            return true;
    }
    return false;
}

static bool is_address(span word)
{
    struct addr a;
    return addr_parse(span_cut(word, 0, span_find(word, '%', 0)), &a); /* fe80::1%lo0 */
}

enum list_line listread_hosts(struct listread *r, span line)
{
    enum list_line is = LINE_NOTHING;
    if (!is_address(listread_word(&line)))
        return LINE_BAD;
    for (span name = listread_word(&line); name.n; name = listread_word(&line)) {
        if (is_own(name))
            continue;
        if (!catkey_host(name, &r->key) || r->key.kind != CATKEY_NAME)
            is = LINE_BAD;
        else if (is != LINE_BAD)
            is = listread_emit(r, 0, name);
    }
    return is;
}
