/* Have the category lists changed? See lists_digest.h. */
#include "policy/lists_digest.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "gw/base/obj.h"
#include "gw/base/sha256.h"
#include "policy/source.h"

const char *lists_path(struct tree *t, const struct category_source *s)
{
    if (s->kind == CAT_FILE)
        return source_beside(t, s->w.pos.file, s->w.text);
    const char *dir = source_beside(t, t->set.lists.pos.file, t->set.lists.text);
    char *path = dir ? arena_alloc(&t->mem, strlen(dir) + s->w.text.n + sizeof "//domains") : NULL;
    if (!path)
        return NULL;
    size_t n = strlen(dir);
    memcpy(path, dir, n);
    path[n++] = '/';
    memcpy(path + n, s->w.text.p, s->w.text.n);
    memcpy(path + n + s->w.text.n, "/domains", sizeof "/domains");
    return path;
}

static enum rc put_text(struct buf *b, span s)
{
    TRY(buf_put_u32(b, (uint32_t)s.n));
    return buf_put(b, s);
}

static enum rc put_file(struct buf *b, const char *path)
{
    struct stat st;
    AUTO_CLOSE int fd = path ? open(path, O_PATH | O_CLOEXEC) : -1; /* asks for no right to read */
    if (fd < 0 || fstat(fd, &st) != 0)
        return buf_put_str(b, "missing");
    TRY(buf_put_u64(b, (uint64_t)st.st_dev));
    TRY(buf_put_u64(b, (uint64_t)st.st_ino));
    TRY(buf_put_u64(b, (uint64_t)st.st_size));
    TRY(buf_put_u64(b, (uint64_t)st.st_mtim.tv_sec));
    TRY(buf_put_u64(b, (uint64_t)st.st_mtim.tv_nsec));
    TRY(buf_put_u64(b, (uint64_t)st.st_ctim.tv_sec));
    return buf_put_u64(b, (uint64_t)st.st_ctim.tv_nsec);
}

static enum rc put_source(struct tree *t, const struct category_source *s, struct buf *shape,
                          struct buf *content)
{
    TRY(buf_put_u8(shape, (uint8_t)s->kind));
    TRY(buf_put_u8(shape, s->except));
    TRY(put_text(shape, s->w.text));
    if (s->kind == CAT_DOMAIN)
        return RC_OK;
    const char *path = lists_path(t, s);
    TRY(put_text(shape, span_str(path)));
    return put_file(content, path);
}

static enum rc put_all(struct tree *t, struct buf *shape, struct buf *content)
{
    for (const struct category_decl *c = t->categories.first; c; c = c->next) {
        TRY(buf_put_u32(shape, c->id));
        TRY(put_text(shape, c->name.text));
        for (const struct category_source *s = c->sources; s; s = s->next)
            TRY(put_source(t, s, shape, content));
    }
    return RC_OK;
}

enum rc lists_identify(struct tree *t, struct lists_id *out)
{
    struct buf shape = {0}, content = {0};
    enum rc rc = put_all(t, &shape, &content);
    span bytes[2] = {buf_span(&shape), buf_span(&content)};
    if (rc == RC_OK)
        rc = sha256(bytes, 1, out->shape);
    if (rc == RC_OK)
        rc = sha256(bytes, 2, out->content);
    buf_fini(&shape);
    buf_fini(&content);
    return rc;
}
