/** The NFS client: a program for python3, which calls libnfs. It lies in the code so that every form of this package has it. */
export const nfsClientProgram = String.raw`"""An NFS client for the lab, as a process: one JSON request a line on stdin, one JSON answer a line on stdout.

libnfs is what does the work; it is Debian's libnfs13. The caller is uid and gid 36, as a host's vdsm is.
"""
import base64
import ctypes
import errno
import json
import os
import sys
import time

VDSM = 36
PIECE = 1 << 20


class Url(ctypes.Structure):
    _fields_ = [("server", ctypes.c_char_p), ("path", ctypes.c_char_p), ("file", ctypes.c_char_p)]


class Stat(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in (
        "dev", "ino", "mode", "nlink", "uid", "gid", "rdev", "size", "blksize", "blocks", "used",
        "atime", "mtime", "ctime", "atime_nsec", "mtime_nsec", "ctime_nsec")]


class Entry(ctypes.Structure):
    pass


Entry._fields_ = [("next", ctypes.POINTER(Entry)), ("name", ctypes.c_char_p)]

lib = ctypes.CDLL("libnfs.so.13")
pointer = ctypes.c_void_p
lib.nfs_init_context.restype = pointer
lib.nfs_parse_url_dir.restype = ctypes.POINTER(Url)
lib.nfs_parse_url_dir.argtypes = [pointer, ctypes.c_char_p]
lib.nfs_mount.argtypes = [pointer, ctypes.c_char_p, ctypes.c_char_p]
lib.nfs_get_error.restype = ctypes.c_char_p
lib.nfs_get_error.argtypes = [pointer]
lib.nfs_set_uid.argtypes = lib.nfs_set_gid.argtypes = [pointer, ctypes.c_int]
lib.nfs_mkdir2.argtypes = [pointer, ctypes.c_char_p, ctypes.c_int]
lib.nfs_rmdir.argtypes = lib.nfs_unlink.argtypes = [pointer, ctypes.c_char_p]
lib.nfs_rename.argtypes = [pointer, ctypes.c_char_p, ctypes.c_char_p]
lib.nfs_lstat64.argtypes = [pointer, ctypes.c_char_p, ctypes.POINTER(Stat)]
lib.nfs_creat.argtypes = [pointer, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(pointer)]
lib.nfs_open.argtypes = [pointer, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(pointer)]
lib.nfs_ftruncate.argtypes = [pointer, pointer, ctypes.c_uint64]
lib.nfs_pwrite.argtypes = [pointer, pointer, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_char_p]
lib.nfs_pread.argtypes = [pointer, pointer, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_char_p]
lib.nfs_fsync.argtypes = lib.nfs_close.argtypes = [pointer, pointer]
lib.nfs_opendir.argtypes = [pointer, ctypes.c_char_p, ctypes.POINTER(pointer)]
lib.nfs_readdir.restype = ctypes.POINTER(Entry)
lib.nfs_readdir.argtypes = lib.nfs_closedir.argtypes = [pointer, pointer]


class Client:
    def __init__(self, url):
        self.nfs = lib.nfs_init_context()
        lib.nfs_set_uid(self.nfs, VDSM)
        lib.nfs_set_gid(self.nfs, VDSM)
        parsed = lib.nfs_parse_url_dir(self.nfs, url.encode())
        if not parsed:
            raise OSError(errno.EINVAL, self.error())
        self.check(lib.nfs_mount(self.nfs, parsed.contents.server, parsed.contents.path))

    def error(self):
        return (lib.nfs_get_error(self.nfs) or b"").decode(errors="replace")

    def check(self, result):
        if result < 0:
            raise OSError(-result, self.error())
        return result

    def mkdir(self, path, mode):
        self.check(lib.nfs_mkdir2(self.nfs, path.encode(), mode))

    def rename(self, path, to):
        self.check(lib.nfs_rename(self.nfs, path.encode(), to.encode()))

    def stat(self, path):
        found = Stat()
        self.check(lib.nfs_lstat64(self.nfs, path.encode(), ctypes.byref(found)))
        return {"mode": found.mode, "uid": found.uid, "gid": found.gid, "bytes": found.size, "used": found.used}

    def list(self, path):
        handle = pointer()
        self.check(lib.nfs_opendir(self.nfs, path.encode(), ctypes.byref(handle)))
        names = []
        while entry := lib.nfs_readdir(self.nfs, handle):
            names.append(entry.contents.name.decode())
        lib.nfs_closedir(self.nfs, handle)
        return sorted(name for name in names if name not in (".", ".."))

    def remove(self, path):
        """Also what lies below. What is not there is removed already."""
        try:
            is_directory = (self.stat(path)["mode"] & 0o170000) == 0o040000
        except OSError as failure:
            if failure.errno == errno.ENOENT:
                return
            raise
        if not is_directory:
            self.check(lib.nfs_unlink(self.nfs, path.encode()))
            return
        for name in self.list(path):
            self.remove(f"{path}/{name}")
        self.check(lib.nfs_rmdir(self.nfs, path.encode()))

    def upload(self, path, source, mode):
        """A local file; holes stay holes."""
        handle = pointer()
        self.check(lib.nfs_creat(self.nfs, path.encode(), mode, ctypes.byref(handle)))
        try:
            with open(source, "rb") as local:
                offset = 0
                while piece := local.read(PIECE):
                    if piece.count(0) != len(piece):
                        self.write(handle, offset, piece)
                    offset += len(piece)
            self.check(lib.nfs_ftruncate(self.nfs, handle, offset))
            self.check(lib.nfs_fsync(self.nfs, handle))
        finally:
            lib.nfs_close(self.nfs, handle)

    def make(self, path, size, mode):
        """A file of zeros that takes no space."""
        handle = pointer()
        self.check(lib.nfs_creat(self.nfs, path.encode(), mode, ctypes.byref(handle)))
        try:
            self.check(lib.nfs_ftruncate(self.nfs, handle, size))
        finally:
            lib.nfs_close(self.nfs, handle)

    def put(self, path, offset, data):
        """Writes in place, durable when it is answered."""
        handle = pointer()
        self.check(lib.nfs_open(self.nfs, path.encode(), os.O_RDWR | os.O_SYNC, ctypes.byref(handle)))
        try:
            self.write(handle, offset, base64.b64decode(data))
            self.check(lib.nfs_fsync(self.nfs, handle))
        finally:
            lib.nfs_close(self.nfs, handle)

    def get(self, path, offset, count):
        handle = pointer()
        self.check(lib.nfs_open(self.nfs, path.encode(), os.O_RDONLY, ctypes.byref(handle)))
        buffer = ctypes.create_string_buffer(count)
        try:
            done = self.check(lib.nfs_pread(self.nfs, handle, offset, count, buffer))
            return base64.b64encode(buffer.raw[:done]).decode()
        finally:
            lib.nfs_close(self.nfs, handle)

    def renew(self, path, area, offset, data):
        """As sanlock: reads the whole area, then writes one sector. Answers with how many ms it took."""
        begin = time.monotonic()
        self.get(path, 0, area)
        self.put(path, offset, data)
        return (time.monotonic() - begin) * 1000

    def write(self, handle, offset, piece):
        done = 0
        while done < len(piece):
            count = lib.nfs_pwrite(self.nfs, handle, offset + done, len(piece) - done, piece[done:])
            if count == -errno.EFAULT:  # all that libnfs says of a write that the server has refused
                raise OSError(errno.EIO, "the server refused a write: it is full, or it failed")
            done += self.check(count)

    def download(self, path, target):
        handle = pointer()
        self.check(lib.nfs_open(self.nfs, path.encode(), os.O_RDONLY, ctypes.byref(handle)))
        buffer = ctypes.create_string_buffer(PIECE)
        try:
            with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as local:
                offset = 0
                while count := self.check(lib.nfs_pread(self.nfs, handle, offset, PIECE, buffer)):
                    local.write(buffer.raw[:count])
                    offset += count
        finally:
            lib.nfs_close(self.nfs, handle)


def main():
    client = None
    for line in sys.stdin:
        call, *arguments = json.loads(line)
        try:
            if call == "mount":
                client = Client(*arguments)
                result = None
            else:
                result = getattr(client, call)(*arguments)
            answer = {"result": result}
        except OSError as failure:
            answer = {"code": errno.errorcode.get(failure.errno, "EIO"), "message": failure.strerror}
        print(json.dumps(answer), flush=True)


main()
`;
