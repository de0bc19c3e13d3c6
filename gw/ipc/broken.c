/* The table of broken places; see broken.h. Open addressing with few probes: where no slot is free the one
 * that was of use longest ago is taken. A slot that is being filled has for a key the second at which that
 * began and a number that no other filling has. It keeps it when its worker is killed meanwhile:
 * LIM_BROKEN_BUSY_S later it is anybody's, and a worker that was only asleep finds another number there and
 * publishes nothing. A time that lies ahead is of a clock that was set back since: what it stands for is
 * over. */
#include "gw/ipc/broken.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw/base/obj.h"
#include "gw/base/sha256.h"

enum {
    PROBES = 16,
    SECRET = 32,
    NET_BYTES = 8, /* the /64 of an IPv6 address */
    SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL
};
#define BROKEN_MAGIC UINT64_C(0x7065727262726f6b)
/* 0: free; below: being filled. */
#define KEY_LEAST (UINT64_C(1) << 56)
#define BUSY_TIME (UINT64_C(1) << 36) /* seconds of a busy key; the filling's number is above them */

struct device {
    _Atomic uint64_t key;
    _Atomic int64_t seen_s;
};

struct place {
    _Atomic uint64_t key;
    _Atomic int64_t seen_s, window_s; /* the last failure, and the first that counts */
    _Atomic int64_t since_s, until_s; /* exempt */
    _Atomic uint64_t client[BROKEN_CLIENTS];
};

/* An exemption in words. */
struct words {
    _Atomic uint64_t key;
    _Atomic int64_t since_s, until_s;
    char name[LIM_NAME_BYTES + 1], ja4[BROKEN_JA4 + 1];
};

struct broken {
    uint64_t magic;
    uint8_t secret[SECRET];
    _Atomic uint64_t n_exempt, n_fails, n_fillings;
    struct device device[LIM_BROKEN_DEVICES];
    struct place place[LIM_BROKEN_PLACES];
    struct words words[LIM_BROKEN_EXEMPT];
};

enum rc broken_create(int *fd)
{
    AUTO_CLOSE int mem = memfd_create("perron-broken", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const uint64_t magic = BROKEN_MAGIC;
    uint8_t secret[SECRET];
    if (mem < 0 || ftruncate(mem, sizeof(struct broken)) < 0 ||
        getrandom(secret, sizeof secret, 0) != sizeof secret ||
        pwrite(mem, secret, sizeof secret, offsetof(struct broken, secret)) != sizeof secret ||
        pwrite(mem, &magic, sizeof magic, 0) != sizeof magic || fcntl(mem, F_ADD_SEALS, SEALS) < 0)
        return RC_IO;
    *fd = mem;
    mem = -1;
    return RC_OK;
}

enum rc broken_map(int fd, struct broken **out)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    *out = NULL;
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0 || st.st_size != sizeof(struct broken))
        return RC_BAD;
    struct broken *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (b == MAP_FAILED)
        return RC_NOMEM;
    if (b->magic == BROKEN_MAGIC) {
        *out = b;
        return RC_OK;
    }
    munmap(b, sizeof *b);
    return RC_BAD;
}

void broken_unmap(struct broken *b)
{
    if (b)
        munmap(b, sizeof *b);
}

/* ---- numbers ---- */

static uint64_t number_of(const struct broken *b, const char *kind, span x, span y)
{
    uint8_t digest[SHA256_BYTES];
    uint64_t n;
    const span parts[] = {span_of(b->secret, SECRET), span_str(kind), x, SPAN(" "), y};
    if (sha256(parts, N_ELEMS(parts), digest) != RC_OK)
        return 0;
    memcpy(&n, digest, sizeof n);
    return n < KEY_LEAST ? n + KEY_LEAST : n;
}

uint64_t broken_device(const struct broken *b, const struct addr *client)
{
    return number_of(b, "device ", span_of(client->b, client->family == 4 ? 4 : 16), SPAN_NONE);
}

uint64_t broken_client(const struct broken *b, const struct addr *client)
{
    return number_of(b, "client ", span_of(client->b, client->family == 4 ? 4 : NET_BYTES), SPAN_NONE);
}

uint64_t broken_place(const struct broken *b, span name, span ja4)
{
    return number_of(b, "place ", name, ja4);
}

static bool holds(int64_t since_s, int64_t until_s, int64_t now_s)
{
    return since_s <= now_s && now_s < until_s;
}

static bool is_within(int64_t at_s, int64_t life_s, int64_t now_s)
{
    return at_s <= now_s && at_s > now_s - life_s;
}

/* ---- slots that are being filled ---- */

/* Is somebody at it who may still live? Workers have read their clocks at different moments. */
static bool is_busy(uint64_t key, int64_t now_s)
{
    int64_t since_s = (int64_t)(key % BUSY_TIME);
    return key != 0 && key < KEY_LEAST && since_s < now_s + LIM_BROKEN_BUSY_S &&
           since_s > now_s - LIM_BROKEN_BUSY_S;
}

/* The key of a slot that this worker now fills; 0 when somebody else is at it. */
static uint64_t fill_begin(struct broken *b, _Atomic uint64_t *slot, int64_t now_s)
{
    uint64_t there = atomic_load(slot);
    uint64_t number = atomic_fetch_add(&b->n_fillings, 1) * BUSY_TIME % KEY_LEAST;
    uint64_t mine = number + (now_s > 0 ? (uint64_t)now_s % BUSY_TIME : 1);
    return !is_busy(there, now_s) && atomic_compare_exchange_strong(slot, &there, mine) ? mine : 0;
}

/* False when it has become another's meanwhile. */
static bool fill_end(_Atomic uint64_t *slot, uint64_t mine, uint64_t key)
{
    return atomic_compare_exchange_strong(slot, &mine, key);
}

/* ---- devices ---- */

static int64_t device_used_s(const struct device *d, int64_t now_s)
{
    int64_t seen = atomic_load(&d->seen_s);
    return seen <= now_s ? seen : 0;
}

static struct device *device_of(const struct broken *b, uint64_t key, bool make, int64_t now_s)
{
    struct device *oldest = NULL;
    for (uint64_t i = 0; i < PROBES; i++) {
        struct device *d = (struct device *)&b->device[(key + i) % LIM_BROKEN_DEVICES];
        uint64_t there = atomic_load(&d->key);
        if (there == key)
            return d;
        if (!oldest || there == 0 || device_used_s(d, now_s) < device_used_s(oldest, now_s))
            oldest = d;
        if (there == 0)
            break;
    }
    if (!make)
        return NULL;
    atomic_store(&oldest->seen_s, 0);
    atomic_store(&oldest->key, key);
    return oldest;
}

void broken_accepts(struct broken *b, uint64_t device, int64_t now_s)
{
    if (device >= KEY_LEAST)
        atomic_store(&device_of(b, device, true, now_s)->seen_s, now_s);
}

bool broken_trusts(const struct broken *b, uint64_t device, int64_t now_s)
{
    const struct device *d = device < KEY_LEAST ? NULL : device_of(b, device, false, now_s);
    return d && is_within(atomic_load(&d->seen_s), LIM_BROKEN_TRUST_S, now_s);
}

/* ---- places ---- */

/* Empties a slot for another place; NULL when somebody else is at it. */
static struct place *take_over(struct broken *b, struct place *p, uint64_t key, int64_t now_s)
{
    uint64_t mine = fill_begin(b, &p->key, now_s);
    if (!mine)
        return NULL;
    atomic_store(&p->seen_s, 0);
    atomic_store(&p->window_s, 0);
    atomic_store(&p->since_s, 0);
    atomic_store(&p->until_s, 0);
    for (unsigned i = 0; i < BROKEN_CLIENTS; i++)
        atomic_store(&p->client[i], 0);
    return fill_end(&p->key, mine, key) ? p : NULL;
}

/* What is exempt stays as long as it is. */
static int64_t place_used_s(const struct place *p, int64_t now_s)
{
    int64_t seen = atomic_load(&p->seen_s), until = atomic_load(&p->until_s);
    if (atomic_load(&p->key) < KEY_LEAST)
        return 0;
    if (holds(atomic_load(&p->since_s), until, now_s))
        return until;
    return seen <= now_s ? seen : 0;
}

static struct place *place_find(const struct broken *b, uint64_t key)
{
    for (uint64_t i = 0; key >= KEY_LEAST && i < PROBES; i++) {
        struct place *p = (struct place *)&b->place[(key + i) % LIM_BROKEN_PLACES];
        uint64_t there = atomic_load(&p->key);
        if (there == key)
            return p;
        if (there == 0)
            break;
    }
    return NULL;
}

/* One of its own, made where there is none. NULL when somebody else is at it. */
static struct place *place_take(struct broken *b, uint64_t key, int64_t now_s)
{
    struct place *oldest = NULL;
    for (uint64_t i = 0; key >= KEY_LEAST && i < PROBES; i++) {
        struct place *p = &b->place[(key + i) % LIM_BROKEN_PLACES];
        uint64_t there = atomic_load(&p->key);
        if (there == key)
            return p;
        if (is_busy(there, now_s))
            continue;
        if (!oldest || there == 0 || place_used_s(p, now_s) < place_used_s(oldest, now_s))
            oldest = p;
        if (there == 0)
            break;
    }
    return oldest ? take_over(b, oldest, key, now_s) : NULL;
}

static void begin_window(struct place *p, int64_t now_s)
{
    for (unsigned i = 0; i < BROKEN_CLIENTS; i++)
        atomic_store(&p->client[i], 0);
    atomic_store(&p->window_s, now_s);
}

unsigned broken_fails(struct broken *b, uint64_t place, uint64_t client, int64_t now_s)
{
    unsigned n = 0;
    bool known = false;
    struct place *p = client < KEY_LEAST ? NULL : place_take(b, place, now_s);
    if (!p)
        return 0;
    if (!is_within(atomic_load(&p->window_s), LIM_BROKEN_WINDOW_S, now_s))
        begin_window(p, now_s);
    atomic_store(&p->seen_s, now_s);
    atomic_fetch_add(&b->n_fails, 1);
    for (unsigned i = 0; i < BROKEN_CLIENTS; i++) {
        uint64_t free_slot = 0;
        if (!known)
            atomic_compare_exchange_strong(&p->client[i], &free_slot, client);
        uint64_t there = atomic_load(&p->client[i]);
        known |= there == client;
        n += there != 0;
    }
    return n;
}

bool broken_counts(const struct broken *b)
{
    return atomic_load_explicit(&b->n_fails, memory_order_relaxed) > 0;
}

void broken_works(struct broken *b, uint64_t place)
{
    struct place *p = place_find(b, place);
    if (p && atomic_load(&p->client[0]) != 0)
        begin_window(p, 0);
}

bool broken_any(const struct broken *b)
{
    return atomic_load_explicit(&b->n_exempt, memory_order_relaxed) > 0;
}

int64_t broken_until(const struct broken *b, uint64_t place, int64_t most_s, int64_t now_s)
{
    const struct place *p = place_find(b, place);
    int64_t until = p ? atomic_load(&p->until_s) : 0, since = p ? atomic_load(&p->since_s) : 0;
    if (!holds(since, until, now_s) || !is_within(since, most_s, now_s))
        return 0;
    return until < since + most_s ? until : since + most_s;
}

/* ---- exemptions in words ---- */

static bool is_word(const char *s, size_t cap)
{
    size_t n = strnlen(s, cap);
    bool ok = n > 0 && n < cap;
    for (size_t i = 0; ok && i < n; i++)
        ok = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') || strchr("-._", s[i]);
    return ok;
}

static bool is_sound(const struct broken_exemption *e)
{
    return is_word(e->name, sizeof e->name) && is_word(e->ja4, sizeof e->ja4) && e->since_s >= 0 &&
           e->until_s > e->since_s && e->until_s - e->since_s <= LIM_BROKEN_EXEMPT_S;
}

/* Its own slot, else one that is free or whose exemption is over. */
static struct words *slot_for(struct broken *b, uint64_t key, int64_t now_s)
{
    struct words *spare = NULL;
    for (size_t i = 0; i < LIM_BROKEN_EXEMPT; i++) {
        struct words *w = &b->words[i];
        uint64_t there = atomic_load(&w->key);
        if (there == key)
            return w;
        bool over = there < KEY_LEAST || !holds(atomic_load(&w->since_s), atomic_load(&w->until_s), now_s);
        if (!spare && over && !is_busy(there, now_s))
            spare = w;
    }
    return spare;
}

static bool put_words(struct broken *b, uint64_t key, const struct broken_exemption *e, int64_t now_s)
{
    struct words *w = slot_for(b, key, now_s);
    uint64_t mine = w ? fill_begin(b, &w->key, now_s) : 0;
    if (!mine)
        return false;
    memcpy(w->name, e->name, sizeof w->name);
    memcpy(w->ja4, e->ja4, sizeof w->ja4);
    atomic_store(&w->since_s, e->since_s);
    atomic_store(&w->until_s, e->until_s);
    return fill_end(&w->key, mine, key);
}

bool broken_exempt(struct broken *b, const struct broken_exemption *e, int64_t now_s)
{
    if (!is_sound(e) || !holds(e->since_s, e->until_s, now_s))
        return false;
    uint64_t key = broken_place(b, span_str(e->name), span_str(e->ja4));
    struct place *p = place_take(b, key, now_s);
    if (!p || !put_words(b, key, e, now_s))
        return false;
    begin_window(p, now_s);
    atomic_store(&p->seen_s, now_s);
    atomic_store(&p->until_s, 0); /* never the old end with the new start */
    atomic_store(&p->since_s, e->since_s);
    atomic_store(&p->until_s, e->until_s);
    atomic_fetch_add(&b->n_exempt, 1);
    return true;
}

bool broken_next(const struct broken *b, size_t *it, int64_t now_s, struct broken_exemption *out)
{
    while (*it < LIM_BROKEN_EXEMPT) {
        const struct words *w = &b->words[(*it)++];
        uint64_t key = atomic_load(&w->key);
        if (key < KEY_LEAST)
            continue;
        memcpy(out->name, w->name, sizeof out->name);
        memcpy(out->ja4, w->ja4, sizeof out->ja4);
        out->since_s = atomic_load(&w->since_s);
        out->until_s = atomic_load(&w->until_s);
        if (atomic_load(&w->key) == key && is_sound(out) && holds(out->since_s, out->until_s, now_s) &&
            broken_place(b, span_str(out->name), span_str(out->ja4)) == key)
            return true;
    }
    return false;
}

uint64_t broken_changes(const struct broken *b)
{
    return atomic_load(&b->n_exempt);
}
