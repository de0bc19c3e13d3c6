/* The control socket STATE/control (0600, root): what perronctl talks to. One JSON object a line each way; a
 * request is
 * {"cmd": "show" | "reload" | "simulate", ...}, an answer any number of lines and then one with
 * "done": true, "ok" and, where it is false, "error". */
#ifndef GW_PROC_CONTROL_H
#define GW_PROC_CONTROL_H

#include "gw/proc/master_int.h"

enum rc control_open(struct master *m, struct buf *err) MUST_USE;
void control_close(struct control *c);
/* MSG_SHOWN of a worker. NULL is fine. */
void control_shown(struct control *c, uint32_t worker, span payload);

#endif
