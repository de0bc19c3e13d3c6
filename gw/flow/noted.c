/* Origins of note; see noted.h. */
#include "gw/flow/noted.h"

#include <openssl/sha.h>
#include <stdlib.h>

#include "gw/base/limits.h"
#include "gw/base/lru.h"
#include "gw/base/obj.h"

struct entry {
    struct lru_item item;
    int64_t since_s;
    uint64_t rule;
    struct addr ip;
    uint16_t port;
    uint8_t name_n;
    uint8_t name[LIM_NAME_BYTES];
};
_Static_assert(LIM_NAME_BYTES <= UINT8_MAX, "its length fits");

struct noted {
    struct lru lru;
    int64_t life_s;
};

enum { KEY_BYTES = SHA256_DIGEST_LENGTH };

static struct entry *entry_of(struct lru_item *item)
{
    return item ? CONTAINER_OF(item, struct entry, item) : NULL;
}

static void gone(struct lru_item *item)
{
    free(entry_of(item));
}

enum rc noted_new(size_t max, int64_t life_s, struct noted **out)
{
    struct noted *a = calloc(1, sizeof *a);
    *out = a;
    if (!a)
        return RC_NOMEM;
    a->life_s = life_s;
    lru_init(&a->lru, max, gone);
    return RC_OK;
}

void noted_free(struct noted *a)
{
    if (!a)
        return;
    lru_fini(&a->lru);
    free(a);
}

/* Address and port first: they are of fixed length. */
static void key_of(span name, const struct addr *ip, uint16_t port, uint8_t key[KEY_BYTES])
{
    uint8_t b[1 + 16 + 2 + LIM_NAME_BYTES] = {ip->family};
    size_t n = name.n < LIM_NAME_BYTES ? name.n : LIM_NAME_BYTES;
    memcpy(b + 1, ip->b, ip->family == 4 ? 4 : 16);
    b[17] = (uint8_t)(port >> 8);
    b[18] = (uint8_t)port;
    if (n)
        memcpy(b + 19, name.p, n);
    SHA256(b, 19 + n, key);
}

static struct entry *find(const struct noted *a, span name, const struct addr *ip, uint16_t port)
{
    uint8_t key[KEY_BYTES];
    key_of(name, ip, port, key);
    return entry_of(lru_find(&a->lru, span_of(key, sizeof key)));
}

void noted_note(struct noted *a, span name, const struct addr *ip, uint16_t port, uint64_t rule,
                int64_t now_s)
{
    uint8_t key[KEY_BYTES];
    struct entry *e = name.n <= LIM_NAME_BYTES ? calloc(1, sizeof *e) : NULL;
    if (!e)
        return;
    e->since_s = now_s;
    e->rule = rule;
    e->ip = *ip;
    e->port = port;
    e->name_n = (uint8_t)name.n;
    if (name.n)
        memcpy(e->name, name.p, name.n);
    key_of(name, ip, port, key);
    if (lru_put(&a->lru, span_of(key, sizeof key), &e->item) != RC_OK)
        free(e);
}

/* A clock that was set back makes an entry as doubtful as one that was set forward. */
static bool holds(const struct noted *a, const struct entry *e, int64_t now_s)
{
    return now_s >= e->since_s && now_s < e->since_s + a->life_s;
}

bool noted_known(struct noted *a, span name, const struct addr *ip, uint16_t port, int64_t now_s)
{
    struct entry *e = find(a, name, ip, port);
    if (!e)
        return false;
    if (!holds(a, e, now_s)) {
        lru_drop(&a->lru, &e->item);
        return false;
    }
    lru_used(&a->lru, &e->item);
    return true;
}

void noted_forget(struct noted *a, span name, const struct addr *ip, uint16_t port)
{
    struct entry *e = find(a, name, ip, port);
    if (e)
        lru_drop(&a->lru, &e->item);
}

/* Entries come from few rules: the last one looked for is nearly always the next one too. */
void noted_reloaded(struct noted *a, const struct snapshot *s)
{
    uint64_t last = 0;
    bool there = false;
    for (struct list *l = a->lru.order.next, *next; l != &a->lru.order; l = next) {
        struct entry *e = entry_of(CONTAINER_OF(l, struct lru_item, link));
        next = l->next;
        if (e->rule != last || last == 0)
            there = snapshot_rule_find(s, e->rule) != RULE_NONE;
        last = e->rule;
        if (!there)
            lru_drop(&a->lru, &e->item);
    }
}

json_t *noted_json(const struct noted *a, int64_t now_s)
{
    json_t *list = json_array();
    char ip[ADDR_TEXT];
    for (const struct list *l = a->lru.order.next; l != &a->lru.order; l = l->next) {
        const struct entry *e = CONTAINER_OF(l, const struct entry, item.link);
        if (holds(a, e, now_s))
            json_array_append_new(list,
                                  json_pack("{s:s#, s:s, s:i, s:I}", "name", (const char *)e->name,
                                            (int)e->name_n, "address", addr_text(&e->ip, ip), "port",
                                            (int)e->port, "until", (json_int_t)(e->since_s + a->life_s)));
    }
    return list;
}
