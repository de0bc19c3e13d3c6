/* Opening a snapshot and reading what it says of itself; see snapshot.h. The decisions are in policy/decide.
 */
#include "policy/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "gw/base/obj.h"
#include "gw/base/sha256.h"
#include "policy/image.h"
#include "policy/part.h"
#include "signatures/catexpr.h"

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL };

/* Maps a memfd that nobody can change any more. */
static enum rc map_part(int fd, span *out)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) != 0 || st.st_size <= 0)
        return RC_BAD;
    void *p = part_map(fd, (size_t)st.st_size);
    if (p == MAP_FAILED)
        return errno == ENOMEM ? RC_NOMEM : RC_BAD;
    *out = span_of(p, (size_t)st.st_size);
    return RC_OK;
}

uint64_t snapshot_names(int lists_fd)
{
    span part;
    struct catdb db;
    if (map_part(lists_fd, &part) != RC_OK)
        return 0;
    uint64_t n = catdb_open(part, &db) == RC_OK ? db.head.n_names : 0;
    munmap((void *)(uintptr_t)part.p, part.n);
    return n;
}

/* The head of a list part has the digest of what it was made from: reading 200 MB here would take longer than
 * all the rest of a load. */
static enum rc name_it(struct snapshot *s)
{
    uint8_t hashes[SNAP_PARTS][SHA256_BYTES];
    span all = span_of(hashes, sizeof hashes);
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        span named_by = s->part[i];
        if (i == SNAP_LISTS)
            named_by = span_cut(named_by, 0, sizeof(struct catfmt_head));
        if (i == SNAP_LISTS_TEXT)
            named_by = span_cut(named_by, 0, sizeof(struct cattext_head));
        TRY(sha256(&named_by, 1, hashes[i]));
    }
    TRY(sha256(&all, 1, s->hash));
    for (unsigned i = 0; i < 6; i++)
        snprintf(s->text + 2 * i, 3, "%02x", s->hash[i]);
    return RC_OK;
}

static struct addr addr_from(const struct img_addr *a)
{
    struct addr out = {.family = a->family};
    memcpy(out.b, a->b, sizeof out.b);
    return out;
}

static void fill_settings(struct snapshot *s)
{
    const struct image *m = &s->img;
    const struct img_settings *i = m->set;
    struct settings *o = &s->settings;
    *o = (struct settings){.n_listen = i->n_listen,
                           .n_resolvers = i->n_resolvers,
                           .n_zones = (uint16_t)m->n_ZONES,
                           .n_ports = i->n_ports,
                           .workers = i->workers,
                           .private_block = i->private_block != 0,
                           .trust = image_bytes(m, i->trust),
                           .crl = image_bytes(m, i->crl),
                           .help_telephone = image_bytes(m, i->telephone),
                           .help_mail = image_bytes(m, i->mail),
                           .node = image_bytes(m, i->node)};
    for (unsigned k = 0; k < i->n_listen; k++)
        o->listen[k] = (struct set_listen){(enum listen_kind)i->listen[k].kind, addr_from(&i->listen[k].addr),
                                           i->listen[k].port};
    for (unsigned k = 0; k < i->n_resolvers; k++)
        o->resolver[k] = addr_from(&i->resolver[k]);
    memcpy(o->port, i->port, sizeof o->port);
}

static enum rc fill_zones(struct snapshot *s)
{
    const struct image *m = &s->img;
    s->zones = calloc((size_t)m->n_ZONES + 1, sizeof *s->zones);
    if (!s->zones)
        return RC_NOMEM;
    for (uint32_t i = 0; i < m->n_ZONES; i++) {
        const struct img_zone *z = &m->ZONES[i];
        s->zones[i] = (struct set_zone){.name = image_bytes(m, z->name),
                                        .interface = image_bytes(m, z->interface),
                                        .ca_none = z->ca_none != 0,
                                        .internet = z->internet != 0,
                                        .source_keep = z->source_keep != 0,
                                        .n_networks = (uint16_t)z->networks.n};
    }
    return RC_OK;
}

static enum rc open_parts(struct snapshot *s, const int fds[SNAP_PARTS], const uint8_t want[SNAP_HASH])
{
    for (unsigned i = 0; i < SNAP_PARTS; i++)
        TRY(map_part(fds[i], &s->part[i]));
    TRY(name_it(s));
    if (want && memcmp(want, s->hash, SNAP_HASH) != 0)
        return RC_BAD;
    TRY(image_open(s->part[SNAP_POLICY], &s->img));
    TRY(catdb_open(s->part[SNAP_LISTS], &s->lists));
    TRY(cattext_open(s->part[SNAP_LISTS_TEXT], &s->list_text));
    TRY(catexpr_open(s->lists.expressions, s->lists.head.n_lists, &s->exprs));
    if (s->lists.head.n_lists != s->img.n_LISTCATS || s->list_text.head.n_lists != s->img.n_LISTCATS ||
        memcmp(s->lists.head.digest, s->list_text.head.digest, SHA256_BYTES) != 0)
        return RC_BAD;
    fill_settings(s);
    return fill_zones(s);
}

enum rc snapshot_open(const int fds[SNAP_PARTS], const uint8_t want[SNAP_HASH], struct snapshot **out)
{
    struct snapshot *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return RC_NOMEM;
    s->refs = 1;
    enum rc rc = open_parts(s, fds, want);
    if (rc == RC_OK)
        *out = s;
    else
        snapshot_put(s);
    return rc;
}

struct snapshot *snapshot_get(struct snapshot *s)
{
    s->refs++;
    return s;
}

void snapshot_put(struct snapshot *s)
{
    if (!s || --s->refs > 0)
        return;
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        if (s->part[i].p)
            munmap((void *)(uintptr_t)s->part[i].p, s->part[i].n);
    }
    catexpr_free(s->exprs);
    free(s->zones);
    free(s);
}

const uint8_t *snapshot_hash(const struct snapshot *s)
{
    return s->hash;
}

const char *snapshot_short(const struct snapshot *s)
{
    return s->text;
}

const struct settings *snapshot_settings(const struct snapshot *s)
{
    return &s->settings;
}

const struct set_zone *snapshot_zone(const struct snapshot *s, uint16_t zone)
{
    return zone < s->img.n_ZONES ? &s->zones[zone] : NULL;
}

struct set_prefix snapshot_zone_network(const struct snapshot *s, uint16_t zone, uint16_t i)
{
    if (zone >= s->img.n_ZONES || i >= s->img.ZONES[zone].networks.n)
        return (struct set_prefix){0};
    const struct img_addr *a = &s->img.NETWORKS[s->img.ZONES[zone].networks.at + i];
    return (struct set_prefix){addr_from(a), a->bits};
}

uint16_t snapshot_zone_of(const struct snapshot *s, const struct addr *src)
{
    uint32_t zone = image_addr(&s->img, MAP_ZONE, src);
    return zone == UINT32_MAX ? ZONE_NONE : (uint16_t)zone;
}

span snapshot_user_of(const struct snapshot *s, const struct addr *src)
{
    uint32_t user = image_addr(&s->img, MAP_USER, src);
    return user == UINT32_MAX ? SPAN_NONE : image_bytes(&s->img, s->img.USERS[user].name);
}

uint32_t snapshot_n_rules(const struct snapshot *s)
{
    return s->img.n_RULES;
}

struct rule_info snapshot_rule(const struct snapshot *s, uint32_t rule)
{
    const struct image *m = &s->img;
    if (rule >= m->n_RULES)
        return (struct rule_info){0};
    const struct img_rule *r = &m->RULES[rule];
    return (struct rule_info){.text = image_bytes(m, r->text),
                              .name = image_bytes(m, r->name),
                              .file = image_bytes(m, r->file),
                              .line = r->line,
                              .reason = image_bytes(m, r->reason),
                              .owner = image_bytes(m, r->owner),
                              .ticket = image_bytes(m, r->ticket),
                              .log = r->log != 0};
}

span snapshot_category_name(const struct snapshot *s, uint16_t category)
{
    return category < s->img.n_CATS ? image_bytes(&s->img, s->img.CATS[category]) : SPAN_NONE;
}
