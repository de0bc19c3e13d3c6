/* One bench, from nothing to torn down: a folder for its files, three networks, origins (nginx, dnsmasq), and
 * one gateway at a time between client and origins. A measurement asks for turns: start a gateway, warm it,
 * load it, weigh it, stop it.
 *
 * lab_up() .. lab_down() is the life of a bench; lab_down() is harmless at any point and leaves nothing
 * behind. */
#ifndef BENCH_LAB_H
#define BENCH_LAB_H

#include "bench/knobs.h"
#include "bench/load.h"
#include "bench/net.h"
#include "bench/report.h"

enum { LAB_PATH = 256, LAB_SMALL_BYTES = 1024 };

struct lab;

/* A gateway that can be put between client and origins. */
struct gateway {
    const char *name;
    bool explicit_too; /* speaks CONNECT */
    /* Starts it inside the gateway's network, on lab->gateway_cpu; *pid is the root of its process tree (0:
     * there is none). It need not listen yet when this returns. */
    enum rc (*start)(struct lab *lab, pid_t *pid);
    /* After the process has ended. */
    enum rc (*clean)(struct lab *lab);
    const char *ca_file; /* what its clients trust, below lab->dir */
};

struct lab {
    const struct knobs *knobs;
    char dir[LAB_PATH], log[LAB_PATH]; /* log: what the tools say */
    char perrond[LAB_PATH], perronctl[LAB_PATH];
    struct net net;
    pid_t nginx, dnsmasq;
    bool nets, ca_made, listed_made;
    unsigned gateway_cpu, load_cpu;
    struct report report;
};

/* One turn of one gateway. */
struct turn {
    const struct gateway *gateway;
    pid_t pid;
    char ca_file[LAB_PATH];
    char what[64]; /* for the progress line: "run 2 of 5, haproxy" */
    struct load load;
    uint64_t cpu_ns; /* set by turn_cpu_begin, then the difference by turn_cpu_end */
};

enum rc lab_up(struct lab *lab, const struct knobs *knobs) MUST_USE;
/* `failed`: the tools' log is shown, so that the reason is not lost with the folder. */
void lab_down(struct lab *lab, bool failed);
/* Path of a file of the lab. */
void lab_path(const struct lab *lab, const char *file, char out[LAB_PATH]);

/* Starts the gateway and waits until a first connection went through it well. */
enum rc turn_begin(struct turn *t, struct lab *lab, const struct gateway *gw, unsigned long run) MUST_USE;
/* Ends load and gateway; harmless at any point. */
enum rc turn_end(struct turn *t, struct lab *lab) MUST_USE;
/* Fills in target, mode, CA and names. */
struct load_plan turn_plan(const struct turn *t, const struct lab *lab);
enum rc turn_load(struct turn *t, struct lab *lab, const struct load_plan *plan) MUST_USE;
/* GONE, and said, when the gateway's first process has died meanwhile. */
enum rc turn_alive(struct turn *t) MUST_USE;
/* CPU time of the gateway between the two calls, in t->cpu_ns. */
enum rc turn_cpu_begin(struct turn *t) MUST_USE;
enum rc turn_cpu_end(struct turn *t) MUST_USE;

/* Origins: nginx and dnsmasq in the internet's network (origin.c). */
enum rc origin_start(struct lab *lab) MUST_USE;

/* The gateways there are, by name, NULL when there is none of that name (gateways.c). */
const struct gateway *gateway_find(const char *name);

#endif
