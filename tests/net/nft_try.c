/* Drives gw/net/nft, keeper and opener without a master, for the tests beside it:
 *
 *   nft_try apply [--open] [--no-quic] [--keeper] --uids A-B --to4 PORT --to6 PORT --ports N,N...
 *                 --zone IF|-[,NET...]... [--internet IF]
 *   nft_try release
 *   nft_try opener            (asks the real opener for sockets, see opener_loop)
 *   nft_try --role keeper     (what spawn_role() executes)
 *
 * `apply` says "up" and then obeys lines on standard input: "ports N,N..." applies again, "stop" ends in
 * order; at the end of input it ends without a word to nftables, like a crash. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/net/nft.h"
#include "gw/proc/role.h"
#include "gw/proc/spawn.h"

enum { MAX = 32 };

struct options {
    struct nft_plan plan;
    struct nft_zone zones[MAX];
    struct prefix nets[MAX][MAX];
    uint16_t ports[MAX];
    bool keeper;
};

static struct ev *ev;
static bool arrived; /* what the loop was waiting for */
static struct peer *child_peer;
static void (*on_child)(enum msg_type t, span payload, int *fds, size_t n_fds);

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "nft_try: %s\n", what);
    exit(1);
}

static void must(enum rc rc, const struct buf *err)
{
    if (rc == RC_OK)
        return;
    if (err)
        fprintf(stderr, "%.*s", (int)buf_len(err), (const char *)buf_span(err).p);
    die(rc_text(rc));
}

static void await(void)
{
    for (arrived = false; !arrived;)
        must(ev_turn(ev, 1000), NULL);
}

/* ---- options ---- */

static size_t split(char *text, char *out[MAX])
{
    size_t n = 0;
    for (char *save, *p = strtok_r(text, ",", &save); p && n < MAX; p = strtok_r(NULL, ",", &save))
        out[n++] = p;
    return n;
}

static void add_zone(struct options *o, char *text)
{
    char *parts[MAX];
    size_t n = split(text, parts), z = o->plan.n_zones++;
    if (n == 0 || z >= MAX)
        die("--zone");
    o->zones[z].interface = strcmp(parts[0], "-") == 0 ? SPAN_NONE : span_str(parts[0]);
    o->zones[z].nets = o->nets[z];
    o->zones[z].n_nets = 0;
    for (size_t i = 1; i < n; i++) {
        if (!prefix_parse(span_str(parts[i]), &o->nets[z][o->zones[z].n_nets++]))
            die("--zone: network");
    }
    o->plan.zones = o->zones;
}

static void set_ports(struct options *o, char *text)
{
    char *parts[MAX];
    o->plan.n_ports = split(text, parts);
    for (size_t i = 0; i < o->plan.n_ports; i++)
        o->ports[i] = (uint16_t)strtoul(parts[i], NULL, 10);
    o->plan.ports = o->ports;
}

static void set_uids(struct options *o, const char *text)
{
    if (sscanf(text, "%u-%u", &o->plan.uid_first, &o->plan.uid_last) != 2)
        die("--uids");
}

static void read_option(struct options *o, const char *name, char *value)
{
    if (strcmp(name, "--zone") == 0)
        add_zone(o, value);
    else if (strcmp(name, "--ports") == 0)
        set_ports(o, value);
    else if (strcmp(name, "--uids") == 0)
        set_uids(o, value);
    else if (strcmp(name, "--internet") == 0)
        o->plan.internet = span_str(value);
    else if (strcmp(name, "--to4") == 0)
        o->plan.to4.port = (uint16_t)strtoul(value, NULL, 10);
    else if (strcmp(name, "--to6") == 0)
        o->plan.to6.port = (uint16_t)strtoul(value, NULL, 10);
    else
        die(name);
}

static void read_options(struct options *o, int argc, char **argv)
{
    *o = (struct options){.plan = {.closed = true, .quic_refuse = true}};
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--open") == 0)
            o->plan.closed = false;
        else if (strcmp(argv[i], "--no-quic") == 0)
            o->plan.quic_refuse = false;
        else if (strcmp(argv[i], "--keeper") == 0)
            o->keeper = true;
        else if (i + 1 < argc)
            read_option(o, argv[i], argv[i + 1]), i++;
        else
            die(argv[i]);
    }
}

/* ---- a child, as the master has it ---- */

static void on_msg(struct peer *p, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    (void)p;
    if (t == MSG_READY)
        arrived = true;
    else if (on_child)
        on_child(t, payload, fds, n_fds);
}

static void on_end(struct peer *p, enum rc rc)
{
    (void)p;
    child_peer = NULL;
    fprintf(stderr, "nft_try: child gone: %s\n", rc_text(rc));
    arrived = true;
}

/* Starts the role and waits until it is ready; returns its pid. */
static pid_t start_child(enum role role, enum msg_type first, span payload, int fd)
{
    struct spawned s;
    struct buf config = {0};
    struct role_config c = {.log_level = 2};
    must(ev_new(&ev), NULL);
    must(spawn_role(role, 0, -1, &s), NULL);
    must(peer_new(ev, s.fd, ROLE_MASTER, role, on_msg, on_end, NULL, &child_peer), NULL);
    must(role_config_put(&config, &c), NULL);
    must(peer_send(child_peer, MSG_CONFIG, buf_span(&config), NULL, 0), NULL);
    must(peer_send(child_peer, first, payload, &fd, 1), NULL);
    buf_fini(&config);
    await();
    if (!child_peer)
        die("child did not get ready");
    return s.pid;
}

/* ---- apply ---- */

static void apply_again(struct options *o, struct nft *n)
{
    struct buf err = {0};
    if (nft_apply(n, &o->plan, &err) == RC_OK)
        puts("applied");
    else
        printf("refused: %.*s", (int)buf_len(&err), (const char *)buf_span(&err).p);
    fflush(stdout);
    buf_fini(&err);
}

static void obey(struct options *o, struct nft *n)
{
    char line[256];
    static char zone[256]; /* zones point into it */
    struct buf err = {0};
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "stop") == 0) {
            must(nft_stop(n, &err), &err);
            nft_close(n);
            puts("stopped");
            exit(0);
        }
        o->plan.n_zones = strncmp(line, "zone ", 5) == 0 ? 0 : o->plan.n_zones;
        if (strncmp(line, "zone ", 5) == 0)
            add_zone(o, strcpy(zone, line + 5));
        else if (strncmp(line, "ports ", 6) == 0)
            set_ports(o, line + 6);
        else
            die("commands: ports N,N  zone Z  stop");
        apply_again(o, n);
    }
}

static int apply(struct options *o)
{
    struct buf err = {0};
    struct nft *n;
    must(nft_open(&n, &err), &err);
    must(nft_apply(n, &o->plan, &err), &err);
    pid_t keeper = o->keeper ? start_child(ROLE_KEEPER, MSG_PLAN, SPAN("\x01"), nft_place(n)) : 0;
    printf("up %d\n", (int)keeper);
    fflush(stdout);
    obey(o, n);
    return 0;
}

/* ---- opener ---- */

static struct peer *as_worker;

static void on_answer(struct peer *p, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    struct rd r = rd_of(payload);
    uint64_t id = rd_u64(&r);
    uint32_t err = rd_u32(&r);
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    (void)p;
    if (t != MSG_SRCSOCK || r.bad)
        die("not an answer");
    if (n_fds == 1 && getsockname(fds[0], (struct sockaddr *)&ss, &len) == 0) {
        char text[ADDR_TEXT];
        uint16_t port;
        struct addr a = addr_from_sockaddr(&ss, &port);
        printf("%llu bound %s\n", (unsigned long long)id, addr_text(&a, text));
        close(fds[0]);
    } else {
        printf("%llu refused %s\n", (unsigned long long)id, strerror((int)err));
    }
    fflush(stdout);
    arrived = true;
}

static void on_worker_end(struct peer *p, enum rc rc)
{
    (void)p;
    (void)rc;
    as_worker = NULL;
    puts("channel closed");
    fflush(stdout);
    arrived = true;
}

static void ask(uint64_t id, char *text)
{
    char *slash = strchr(text, '/');
    uint16_t port = slash ? (uint16_t)strtoul(slash + 1, NULL, 10) : 0;
    struct addr a = {0};
    struct buf b = {0};
    if (slash)
        *slash = '\0';
    if (strcmp(text, "rubbish") != 0 && !addr_parse(span_str(text), &a))
        die("address");
    must(buf_put_u64(&b, id), NULL);
    must(buf_put_u8(&b, a.family), NULL);
    must(buf_put_u16(&b, port), NULL);
    must(buf_put(&b, span_of(a.b, sizeof a.b)), NULL);
    must(peer_send(as_worker, MSG_SRCSOCK_REQ, buf_span(&b), NULL, 0), NULL);
    buf_fini(&b);
    await();
}

/* Each line of input an address, or address/port; the answer is one line. */
static int opener_loop(void)
{
    int pair[2];
    char line[256];
    must(peer_pair(pair), NULL);
    start_child(ROLE_OPENER, MSG_OPENER_PEER, SPAN("\0\0\0\0"), pair[1]);
    close(pair[1]);
    must(peer_new(ev, pair[0], ROLE_WORKER, ROLE_OPENER, on_answer, on_worker_end, NULL, &as_worker), NULL);
    puts("up");
    fflush(stdout);
    for (uint64_t id = 1; as_worker && fgets(line, sizeof line, stdin); id++) {
        line[strcspn(line, "\n")] = '\0';
        ask(id, line);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct options o;
    struct buf err = {0};
    if (argc >= 3 && strcmp(argv[1], "--role") == 0)
        return role_run(strcmp(argv[2], "keeper") == 0 ? &keeper_ops : &opener_ops);
    if (argc == 2 && strcmp(argv[1], "release") == 0) {
        must(nft_release(&err), &err);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "opener") == 0)
        return opener_loop();
    if (argc < 2 || strcmp(argv[1], "apply") != 0)
        die("apply, release or opener");
    read_options(&o, argc, argv);
    return apply(&o);
}
