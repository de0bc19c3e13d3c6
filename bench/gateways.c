/* The gateways that are compared. HAProxy bridges TLS with one fixed certificate: TLS in, TLS out with the
 * origin's certificate verified against the laboratory's root, no reuse of sessions (but with --resume) or
 * connections, one thread, behind the same kind of TPROXY rule. Perron runs with one worker and sets its own
 * rules. "direct" is no gateway at all: it shows what client and origins can do on this machine. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "bench/lab.h"
#include "bench/say.h"
#include "bench/spawn.h"
#include "gw/base/obj.h"

static const char HAPROXY_CONF[] =
    "global\n"
    "  nbthread %lu\n"
    "  maxconn %lu\n"
    "  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384\n"
    "  ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384\n"
    "defaults\n"
    "  mode http\n"
    "  http-reuse %s\n"
    "  timeout connect 10s\n"
    "  timeout client 1h\n"
    "  timeout server 1h\n"
    "  timeout http-keep-alive 1h\n"
    "frontend clients\n"
    "  bind :%d transparent ssl crt %s/haproxy.pem alpn %s curves X25519:P-256 backlog 16384\n"
    "  default_backend origins\n"
    "backend origins\n"
    "  server origin 0.0.0.0:0 ssl verify required ca-file %s/root.pem sni ssl_fc_sni %s alpn %s\n";

static const char PERRON_POLICY[] = "listen    transparent  port %d\n"
                                    "listen    explicit     %s:%d\n"
                                    "resolver  %s\n"
                                    "trust     \"%s/root.pem\"\n"
                                    "workers   %lu\n"
                                    "%s"
                                    "zone      lan       interface lan0  network %s\n"
                                    "zone      internet  interface wan0\n"
                                    "tls {\n    inspect any\n}\n"
                                    "web {\n    allow any\n}\n";

static enum rc write_file(const struct lab *lab, const char *name, const struct buf *text)
{
    char path[LAB_PATH];
    lab_path(lab, name, path);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    return fd >= 0 && write(fd, text->p + text->r, buf_len(text)) == (ssize_t)buf_len(text) ? RC_OK : RC_IO;
}

static enum rc haproxy_start(struct lab *lab, pid_t *pid)
{
    char conf[LAB_PATH];
    struct buf text;
    lab_path(lab, "haproxy.cfg", conf);
    buf_init(&text, 0);
    unsigned long conns = (unsigned long)sysconf(_SC_OPEN_MAX) / 2 - 100;
    bool h2 = lab->knobs->streams > 0; /* each request is a session to it: without reuse, a connection too */
    const char *alpn = h2 ? "h2" : "http/1.1", *tls_reuse = lab->knobs->resume ? "" : "no-ssl-reuse";
    enum rc rc =
        buf_printf(&text, HAPROXY_CONF, (unsigned long)lab->knobs->workers, conns, h2 ? "always" : "never",
                   NET_TPROXY_PORT, lab->dir, alpn, lab->dir, tls_reuse, alpn);
    if (rc == RC_OK)
        rc = write_file(lab, "haproxy.cfg", &text);
    buf_fini(&text);
    TRY(rc);
    TRY(net_divert(&lab->net, true));
    const char *const argv[] = {"haproxy", "-db", "-f", conf, NULL};
    return spawn_start(&(struct spawn){argv, lab->net.ns[NET_GATEWAY], (int)lab->gateway_cpu, lab->log}, pid);
}

static enum rc haproxy_clean(struct lab *lab)
{
    return net_divert(&lab->net, false);
}

/* The reader's own lines (--policy) first: what decides first wins. */
static enum rc put_own_lines(const struct lab *lab, struct buf *text)
{
    uint8_t block[4096];
    if (!lab->knobs->policy)
        return RC_OK;
    AUTO_CLOSE int fd = open(lab->knobs->policy, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        say_error("--policy %s: cannot be read", lab->knobs->policy);
        return RC_CONFIG;
    }
    for (ssize_t n = read(fd, block, sizeof(block)); n > 0; n = read(fd, block, sizeof(block)))
        TRY(buf_put(text, span_of(block, (size_t)n)));
    return RC_OK;
}

/* Names that no request has, in 97 domains; made once for all turns. */
static enum rc write_listed(struct lab *lab, const char *path)
{
    if (lab->listed_made)
        return RC_OK;
    FILE *f = fopen(path, "w");
    if (!f)
        return RC_IO;
    for (uint64_t i = 0; i < lab->knobs->listed; i++)
        fprintf(f, "www.n%07" PRIu64 ".listed%" PRIu64 ".example\n", i, i % 97);
    lab->listed_made = fclose(f) == 0;
    return lab->listed_made ? RC_OK : RC_IO;
}

static enum rc put_listed(struct lab *lab, struct buf *text)
{
    char path[LAB_PATH];
    lab_path(lab, "listed.txt", path);
    if (lab->knobs->listed == 0)
        return RC_OK;
    TRY(write_listed(lab, path));
    return buf_printf(text, "category  listed  file \"%s\"\nweb {\n    block category listed\n}\n", path);
}

static enum rc perron_policy(struct lab *lab)
{
    struct buf text;
    buf_init(&text, 0);
    enum rc rc = put_own_lines(lab, &text);
    if (rc == RC_OK)
        rc = put_listed(lab, &text);
    if (rc == RC_OK)
        rc = buf_printf(&text, PERRON_POLICY, NET_TPROXY_PORT, NET_GATEWAY_LAN, NET_EXPLICIT_PORT,
                        NET_RESOLVER, lab->dir, (unsigned long)lab->knobs->workers,
                        lab->knobs->pool ? "" : "pool      none\n", NET_LAN);
    if (rc == RC_OK)
        rc = write_file(lab, "perron.policy", &text);
    buf_fini(&text);
    return rc;
}

/* The CA is made once for all turns. */
static enum rc perron_ca(struct lab *lab, const char *state)
{
    if (lab->ca_made)
        return RC_OK;
    const char *const argv[] = {lab->perronctl, "-d", state, "ca", "init", "--org", "Perron bench", NULL};
    enum rc rc = spawn_run(&(struct spawn){argv, SPAWN_HERE, SPAWN_ANY_CPU, lab->log});
    if (rc != RC_OK)
        say_error("`perronctl ca init` failed");
    lab->ca_made = rc == RC_OK;
    return rc;
}

static enum rc perron_start(struct lab *lab, pid_t *pid)
{
    char conf[LAB_PATH], state[LAB_PATH], logs[LAB_PATH];
    lab_path(lab, "perron.policy", conf);
    lab_path(lab, "state", state);
    lab_path(lab, "logs", logs);
    TRY(perron_policy(lab));
    mkdir(state, 0755);
    mkdir(logs, 0755);
    TRY(perron_ca(lab, state));
    const char *const argv[] = {lab->perrond, "-f", conf, "-d", state, "--log-dir", logs, NULL};
    return spawn_start(&(struct spawn){argv, lab->net.ns[NET_GATEWAY], (int)lab->gateway_cpu, lab->log}, pid);
}

static enum rc direct_start(struct lab *lab, pid_t *pid)
{
    *pid = 0;
    return net_forward(&lab->net, true);
}

static enum rc direct_clean(struct lab *lab)
{
    return net_forward(&lab->net, false);
}

static enum rc clean_nothing(struct lab *lab)
{
    (void)lab;
    return RC_OK;
}

static const struct gateway GATEWAYS[] = {
    {"perron", true, perron_start, clean_nothing, "state/ca/root.crt"},
    {"haproxy", false, haproxy_start, haproxy_clean, "root.pem"},
    {"direct", false, direct_start, direct_clean, "root.pem"},
};

const struct gateway *gateway_find(const char *name)
{
    for (size_t i = 0; i < N_ELEMS(GATEWAYS); i++) {
        if (span_eq(span_str(name), span_str(GATEWAYS[i].name)))
            return &GATEWAYS[i];
    }
    return NULL;
}
