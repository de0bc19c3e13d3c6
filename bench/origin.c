/* The origins of the bench: one nginx with a TLS server for every name (its own certificate each, so that a
 * chain seen for one name says nothing about the next), a body of 1 KiB and a large one of random bytes (www
 * has it at a walking pace too, as /slow), and dnsmasq that leads every name to it. AES-128-GCM and X25519
 * come first on every leg, so that all gateways encrypt the same way. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "bench/lab.h"
#include "bench/pki.h"
#include "bench/say.h"
#include "bench/spawn.h"
#include "gw/base/obj.h"

static const char NGINX_HEAD[] =
    "user root;\nworker_processes %lu;\nworker_rlimit_nofile %lu;\ndaemon off;\npid %s/nginx.pid;\nerror_log "
    "%s/nginx.err warn;\n"
    "events { worker_connections %lu; multi_accept on; }\n"
    "http {\n"
    "  access_log off; root %s/www; default_type text/html; sendfile on; gzip off;\n"
    "  keepalive_timeout 1h; keepalive_requests 1000000000; client_header_timeout 1h; send_timeout 5m;\n"
    "  server_names_hash_max_size 32768; server_names_hash_bucket_size 128;\n"
    "  ssl_certificate_key %s/origin.key; ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;\n"
    "  ssl_ecdh_curve X25519:P-256; ssl_session_cache none; ssl_session_tickets %s;\n"
    "  ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384;\n";

static enum rc put_server(const struct lab *lab, unsigned long i, struct buf *out)
{
    char name[PKI_NAME_MAX];
    pki_name(i, name);
    TRY(buf_printf(out, "  server { listen %s:443 ssl%s%s; server_name %s; ssl_certificate %s/%s.pem;",
                   NET_ORIGIN, lab->knobs->streams ? " http2" : "",
                   i == 0 ? " default_server backlog=16384 reuseport" : "", name, lab->dir, name));
    if (i == 0) /* a body that takes its time */
        TRY(buf_printf(out, " location = /slow { alias %s/www/large; limit_rate 100k; }", lab->dir));
    return buf_put_str(out, " }\n");
}

static enum rc nginx_conf(const struct lab *lab, struct buf *out)
{
    unsigned long fds = (unsigned long)sysconf(_SC_OPEN_MAX), names = (unsigned long)lab->knobs->names;
    TRY(buf_printf(out, NGINX_HEAD, (unsigned long)lab->knobs->workers, fds, lab->dir, lab->dir, fds - 100,
                   lab->dir, lab->dir, lab->knobs->tickets || lab->knobs->resume ? "on" : "off"));
    for (unsigned long i = 0; i <= (names > 1 ? names : 0); i++)
        TRY(put_server(lab, i, out));
    return buf_put_str(out, "}\n");
}

/* `bytes` of random data: nothing on the way can make them shorter. */
static enum rc write_body(const struct lab *lab, const char *file, uint64_t bytes)
{
    char path[LAB_PATH];
    uint8_t block[65536];
    lab_path(lab, file, path);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || getrandom(block, sizeof(block), 0) != (ssize_t)sizeof(block))
        return RC_IO;
    for (uint64_t left = bytes; left > 0;) {
        size_t n = left < sizeof(block) ? (size_t)left : sizeof(block);
        if (write(fd, block, n) != (ssize_t)n)
            return RC_IO;
        left -= n;
    }
    return RC_OK;
}

static enum rc write_text(const struct lab *lab, const char *file, const struct buf *text)
{
    char path[LAB_PATH];
    lab_path(lab, file, path);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    return fd >= 0 && write(fd, text->p + text->r, buf_len(text)) == (ssize_t)buf_len(text) ? RC_OK : RC_IO;
}

static enum rc write_files(struct lab *lab)
{
    char www[LAB_PATH];
    struct buf conf;
    lab_path(lab, "www", www);
    if (mkdir(www, 0755) != 0)
        return RC_IO;
    TRY(write_body(lab, "www/1k", LAB_SMALL_BYTES));
    TRY(write_body(lab, "www/large", lab->knobs->size_mib << 20));
    buf_init(&conf, 0);
    enum rc rc = nginx_conf(lab, &conf);
    if (rc == RC_OK)
        rc = write_text(lab, "nginx.conf", &conf);
    buf_fini(&conf);
    return rc;
}

static enum rc start_nginx(struct lab *lab)
{
    char conf[LAB_PATH], err[LAB_PATH];
    lab_path(lab, "nginx.conf", conf);
    lab_path(lab, "nginx.err", err);
    const char *const argv[] = {"nginx", "-p", lab->dir, "-c", conf, "-e", err, NULL};
    return spawn_start(&(struct spawn){argv, lab->net.ns[NET_INTERNET], (int)lab->load_cpu, lab->log},
                       &lab->nginx);
}

static enum rc start_dnsmasq(struct lab *lab)
{
    static const char *const ARGV[] = {"dnsmasq",
                                       "--no-daemon",
                                       "--conf-file=/dev/null",
                                       "--no-resolv",
                                       "--no-hosts",
                                       "--bind-interfaces",
                                       "--listen-address=" NET_RESOLVER,
                                       "--except-interface=lo",
                                       "--local=/" PKI_DOMAIN "/",
                                       "--address=/" PKI_DOMAIN "/" NET_ORIGIN,
                                       "--local-ttl=300",
                                       NULL};
    return spawn_start(&(struct spawn){ARGV, lab->net.ns[NET_INTERNET], (int)lab->load_cpu, lab->log},
                       &lab->dnsmasq);
}

enum rc origin_start(struct lab *lab)
{
    TRY(pki_make(lab->dir, lab->knobs->names > 1 ? lab->knobs->names : 0, lab->knobs->intermediate));
    TRY(write_files(lab));
    TRY(start_nginx(lab));
    return start_dnsmasq(lab);
}
