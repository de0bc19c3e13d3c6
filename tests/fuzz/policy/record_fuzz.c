/* A decision record from anybody: refused, or read within its bounds; what was read is written and read again
 * as the same bytes, and can be decided on, under the snapshot that it names and under another. */
#include <stdlib.h>
#include <unistd.h>

#include "gw/base/obj.h"
#include "policy/compile.h"
#include "policy/redecide.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char policy[] =
    "zone internet\nzone lan network 10.0.0.0/8\n"
    "user \"anne\" address 10.1.1.7\ngroup staff user \"anne\"\n"
    "category games domain \"games.example\"\n"
    "tls { exempt category games\n inspect any\n}\n"
    "web {\nblock category games for staff\nblock domain \"some.example\" for unidentified\n"
    "block method POST to 192.0.2.0/24\nallow any\n}\n";

static struct snapshot *snap(void)
{
    struct compile_opts opts = {.time_s = 1790000000};
    char path[] = "/tmp/perron-fuzz-XXXXXX";
    uint8_t hash[SNAP_HASH];
    int fds[SNAP_PARTS];
    struct buf diag = {0};
    struct snapshot *s = NULL;
    int fd = mkstemp(path);
    gw_assert(fd >= 0 && write(fd, policy, sizeof policy - 1) == (ssize_t)sizeof policy - 1);
    close(fd);
    gw_assert(policy_compile(path, &opts, fds, hash, &diag) == RC_OK);
    gw_assert(snapshot_open(fds, hash, &s) == RC_OK);
    unlink(path);
    for (unsigned i = 0; i < SNAP_PARTS; i++)
        close(fds[i]);
    buf_fini(&diag);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct snapshot *s;
    static struct record r, again;
    static uint8_t bytes[RECORD_MAX], more[RECORD_MAX];
    static struct redecide *own, *other;
    struct verdict v;
    if (!s) {
        s = snap();
        gw_assert(redecide_new(s, s, &own) == RC_OK && redecide_new(s, NULL, &other) == RC_OK);
    }
    if (record_decode(span_of(data, size), &r) != RC_OK)
        return 0;
    size_t n = record_encode(&r, bytes);
    gw_assert(record_decode(span_of(bytes, n), &again) == RC_OK);
    size_t m = record_encode(&again, more);
    gw_assert(m == n && memcmp(bytes, more, n) == 0);
    decide(s, &r.facts, &v);
    gw_assert(v.action <= ACT_WARN && v.n_trail <= TRAIL_MAX);
    (void)redecide(own, NULL, &r, &v);
    (void)redecide(other, NULL, &again, &v);
    gw_assert(v.action <= ACT_WARN && v.n_trail <= TRAIL_MAX);
    return 0;
}
