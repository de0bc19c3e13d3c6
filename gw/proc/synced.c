/* Files of others on disk; see synced.h. */
#include "gw/proc/synced.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

void synced_init(struct synced *s)
{
    *s = (struct synced){.fd = {-1, -1}, .sync = fdatasync};
}

static enum rc sync_one(struct synced *s, int i)
{
    struct stat st;
    if (s->fd[i] < 0)
        return RC_OK;
    if (fstat(s->fd[i], &st) != 0)
        return RC_IO;
    if (st.st_size == s->on_disk[i])
        return RC_OK;
    if (s->sync(s->fd[i]) != 0)
        return RC_IO;
    s->on_disk[i] = st.st_size; /* what came meanwhile has its turn */
    return RC_OK;
}

static enum rc let_go(struct synced *s, int i)
{
    if (s->fd[i] < 0)
        return RC_OK;
    enum rc rc = sync_one(s, i);
    int why = errno;
    close(s->fd[i]);
    s->fd[i] = -1;
    errno = why;
    return rc;
}

enum rc synced_target(struct synced *s, int fd)
{
    enum rc rc = let_go(s, 1);
    s->fd[1] = s->fd[0];
    s->on_disk[1] = s->on_disk[0];
    s->fd[0] = fd;
    s->on_disk[0] = -1; /* whatever it holds already */
    return rc;
}

enum rc synced_turn(struct synced *s)
{
    enum rc rc = sync_one(s, 0), before = sync_one(s, 1);
    return rc != RC_OK ? rc : before;
}

enum rc synced_fini(struct synced *s)
{
    enum rc rc = let_go(s, 0), before = let_go(s, 1);
    return rc != RC_OK ? rc : before;
}
