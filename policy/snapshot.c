/* Opening a snapshot and reading what it says of itself; see snapshot.h. The decisions are in policy/decide.
 */
#include "policy/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "gw/base/obj.h"
#include "policy/image.h"
#include "policy/part.h"
#include "policy/schedule.h"
#include "policy/words.h"
#include "signatures/catexpr.h"

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL };

static const bool may_be_empty[SNAP_PARTS] = {
#define P(id, name, kept, may_be_empty, text) may_be_empty,
#include "policy/part.tbl"
#undef P
};

/* Maps a memfd that nobody can change any more. */
static enum rc map_part(enum snap_part p, int fd, uint64_t size, struct mapping **out)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) != 0 || (uint64_t)st.st_size != size ||
        (size == 0 && !may_be_empty[p]))
        return RC_BAD;
    struct mapping *m = calloc(1, sizeof *m);
    if (!m)
        return RC_NOMEM;
    m->refs = 1;
    *out = m;
    if (size == 0)
        return RC_OK;
    void *bytes = part_map(fd, (size_t)size);
    if (bytes == MAP_FAILED)
        return errno == ENOMEM ? RC_NOMEM : RC_BAD;
    m->bytes = span_of(bytes, (size_t)size);
    return RC_OK;
}

static void mapping_put(struct mapping *m)
{
    if (!m || --m->refs > 0)
        return;
    if (m->bytes.p)
        munmap((void *)(uintptr_t)m->bytes.p, m->bytes.n);
    free(m);
}

uint64_t snapshot_names(int lists_fd)
{
    struct stat st;
    struct mapping *m = NULL;
    struct catdb db;
    uint64_t n = 0;
    if (fstat(lists_fd, &st) == 0 && map_part(PART_LISTS, lists_fd, (uint64_t)st.st_size, &m) == RC_OK &&
        catdb_open(m->bytes, &db) == RC_OK)
        n = db.head.n_names;
    mapping_put(m);
    return n;
}

static enum rc name_it(struct snapshot *s)
{
    char text[MANIFEST_TEXT];
    TRY(manifest_name(&s->manifest, s->hash));
    hash_text(s->hash, text);
    memcpy(s->text, text, sizeof s->text - 1);
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
                           .pool = (enum pool_sharing)i->pool,
                           .trust = image_bytes(m, i->trust),
                           .crl = image_bytes(m, i->crl),
                           .help_telephone = image_bytes(m, i->telephone),
                           .time_zone = image_bytes(m, i->time_zone),
                           .help_mail = image_bytes(m, i->mail),
                           .node = image_bytes(m, i->node)};
    for (unsigned k = 0; k < i->n_listen; k++)
        o->listen[k] = (struct set_listen){(enum listen_kind)i->listen[k].kind, addr_from(&i->listen[k].addr),
                                           i->listen[k].port};
    for (unsigned k = 0; k < i->n_resolvers; k++)
        o->resolver[k] = addr_from(&i->resolver[k]);
    memcpy(o->port, i->port, sizeof o->port);
    o->n_open = (uint16_t)i->n_open;
    o->forwarded = (enum set_forwarded)i->forwarded;
    o->n_management = (uint16_t)i->n_management;
    for (unsigned k = 0; k < i->n_open; k++)
        o->open[k] = (struct prefix){addr_from(&i->open[k]), i->open[k].bits};
    for (unsigned k = 0; k < i->n_management; k++)
        o->management[k] = (struct prefix){addr_from(&i->management[k]), i->management[k].bits};
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
                                        .vpn = image_bytes(m, z->vpn),
                                        .vpn_remote = z->vpn_remote != 0,
                                        .ca_none = z->ca_none != 0,
                                        .internet = z->internet != 0,
                                        .source_keep = z->source_keep != 0,
                                        .n_networks = (uint16_t)z->networks.n};
    }
    return RC_OK;
}

/* True: the part is there already, in the other snapshot's mapping, and was checked there. */
static bool shares(const struct snapshot *s, const struct snapshot *other, enum snap_part p)
{
    return other && part_same(&s->manifest.part[p], &other->manifest.part[p]);
}

static bool has_urls(const struct catdb *db)
{
    uint64_t lists[CATFMT_LISTS / 64] = {0}, any = 0;
    catdb_url_lists(db, lists);
    for (size_t i = 0; i < N_ELEMS(lists); i++)
        any |= lists[i];
    return any != 0;
}

/* Views of the two list parts; the expressions are each snapshot's own. */
static enum rc open_lists(struct snapshot *s, const struct snapshot *other)
{
    if (!s->part[PART_LISTS])
        return RC_OK; /* nothing asks them */
    if (shares(s, other, PART_LISTS))
        s->lists = other->lists;
    else
        TRY(catdb_open(s->part[PART_LISTS]->bytes, &s->lists));
    if (shares(s, other, PART_LISTS_TEXT))
        s->list_text = other->list_text;
    else
        TRY(cattext_open(s->part[PART_LISTS_TEXT]->bytes, &s->list_text));
    TRY(catexpr_open(s->lists.expressions, s->lists.head.n_lists, &s->exprs));
    catexpr_lists(s->exprs, s->expr_lists);
    s->url_lists = shares(s, other, PART_LISTS) ? other->url_lists : s->exprs || has_urls(&s->lists);
    bool belong = s->lists.head.n_lists == s->img.n_LISTCATS &&
                  s->list_text.head.n_lists == s->img.n_LISTCATS &&
                  memcmp(s->lists.head.digest, s->list_text.head.digest, sizeof s->lists.head.digest) == 0;
    return belong ? RC_OK : RC_BAD;
}

static enum rc open_parts(struct snapshot *s, const int fds[SNAP_PARTS], const struct snapshot *other,
                          bool with_lists)
{
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        if (!with_lists && (i == PART_LISTS || i == PART_LISTS_TEXT))
            continue;
        if (shares(s, other, i)) {
            s->part[i] = other->part[i];
            s->part[i]->refs++;
        } else {
            TRY(map_part(i, fds[i], s->manifest.part[i].size, &s->part[i]));
        }
    }
    TRY(name_it(s));
    if (shares(s, other, PART_POLICY))
        s->img = other->img;
    else
        TRY(image_open(s->part[PART_POLICY]->bytes, &s->img));
    TRY(open_lists(s, other));
    if (shares(s, other, PART_GRANTS))
        s->grants = other->grants;
    else
        TRY(grants_open(s->part[PART_GRANTS]->bytes, &s->grants));
    fill_settings(s);
    return fill_zones(s);
}

static enum rc open_as(const struct manifest *m, const int fds[SNAP_PARTS], const struct snapshot *share,
                       bool with_lists, struct snapshot **out)
{
    struct snapshot *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return RC_NOMEM;
    s->refs = 1;
    s->manifest = *m;
    enum rc rc = open_parts(s, fds, share, with_lists);
    if (rc == RC_OK)
        *out = s;
    else
        snapshot_put(s);
    return rc;
}

enum rc snapshot_open_as(const struct manifest *m, const int fds[SNAP_PARTS], const struct snapshot *share,
                         struct snapshot **out)
{
    return open_as(m, fds, share, true, out);
}

enum rc snapshot_open_old(const struct manifest *m, const int fds[SNAP_PARTS], struct snapshot **out)
{
    return open_as(m, fds, NULL, false, out);
}

enum rc snapshot_open(const int fds[SNAP_PARTS], const uint8_t want[SNAP_HASH], struct snapshot **out)
{
    struct manifest m;
    *out = NULL;
    TRY(manifest_of(fds, &m));
    TRY(snapshot_open_as(&m, fds, NULL, out));
    if (!want || memcmp(want, (*out)->hash, SNAP_HASH) == 0)
        return RC_OK;
    snapshot_put(*out);
    *out = NULL;
    return RC_BAD;
}

const struct manifest *snapshot_manifest(const struct snapshot *s)
{
    return &s->manifest;
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
    for (unsigned i = 0; i < SNAP_PARTS; i++)
        mapping_put(s->part[i]);
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

uint16_t snapshot_zone_of_vpn(const struct snapshot *s, span vpn)
{
    uint32_t zone = image_string(&s->img, STRINGS_VPN, vpn);
    return zone < s->img.n_ZONES ? (uint16_t)zone : ZONE_NONE;
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
    bool statement = r->verb == VERB_N;
    return (struct rule_info){.text = image_bytes(m, r->text),
                              .shown = image_bytes(m, r->shown),
                              .name = image_bytes(m, r->name),
                              .file = image_bytes(m, r->file),
                              .line = r->line,
                              .reason = image_bytes(m, r->reason),
                              .owner = image_bytes(m, r->owner),
                              .ticket = image_bytes(m, r->ticket),
                              .log = r->log != 0,
                              .key = r->key,
                              .since = r->since,
                              .until = r->until,
                              .purpose = image_bytes(m, r->purpose),
                              .observe_until = r->observe_until,
                              .verb = statement ? SPAN("observe") : verb_word((enum verb)r->verb),
                              .block = block_word((enum block)r->block),
                              .quic_refuse = r->quic_refuse != 0,
                              .delegated = r->delegated != 0,
                              .exempt_s = r->exempt_s};
}

uint32_t snapshot_rule_find(const struct snapshot *s, uint64_t key)
{
    for (uint32_t i = 0; i < s->img.n_RULES; i++) {
        if (s->img.RULES[i].key == key)
            return i;
    }
    return RULE_NONE;
}

span snapshot_category_name(const struct snapshot *s, uint16_t category)
{
    return category < s->img.n_CATS ? image_bytes(&s->img, s->img.CATS[category]) : SPAN_NONE;
}

uint32_t snapshot_n_groups(const struct snapshot *s)
{
    return s->img.n_GROUPS;
}

span snapshot_group_name(const struct snapshot *s, uint32_t group)
{
    return group < s->img.n_GROUPS ? image_bytes(&s->img, s->img.GROUPS[group].name) : SPAN_NONE;
}

uint32_t snapshot_n_schedules(const struct snapshot *s)
{
    return s->img.n_SCHEDULES;
}

span snapshot_schedule_name(const struct snapshot *s, uint32_t schedule)
{
    return schedule < s->img.n_SCHEDULES ? image_bytes(&s->img, s->img.SCHEDULES[schedule].name) : SPAN_NONE;
}

bool snapshot_schedule_active(const struct snapshot *s, uint32_t schedule, int64_t time_s, int64_t *until)
{
    *until = INT64_MAX;
    if (schedule >= s->img.n_SCHEDULES)
        return false;
    *until = schedule_next(&s->img, schedule, time_s);
    return schedule_active(&s->img, schedule, time_s);
}

int32_t snapshot_offset_s(const struct snapshot *s, int64_t time_s)
{
    int64_t until;
    return schedule_shift(&s->img, s->img.set->shifts, time_s, &until);
}
