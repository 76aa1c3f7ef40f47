/** Runs in a network of its own: for each address that it is given, a portmapper and a way to a unix socket. */
export const hostNetworkProgram = String.raw`"""The network of a host of the lab, as a process: one JSON request a line on stdin, one line on stdout when it is done."""
import asyncio
import fcntl
import json
import socket
import struct
import sys

NFS_PORT = 2049
PIECE = 1 << 18
SIOCSIFFLAGS = 0x8914
IFF_UP = 1

control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


async def pump(reader, writer):
    try:
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def forward_to(path):
    async def forward(reader, writer):
        try:
            there, back = await asyncio.open_unix_connection(path)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, back), pump(there, writer))
    return forward


async def portmap(reader, writer):
    """Both programs are where NFS is."""
    try:
        while True:
            length = struct.unpack(">I", await reader.readexactly(4))[0] & 0x7FFFFFFF
            call = await reader.readexactly(length)
            reply = call[:4] + struct.pack(">6I", 1, 0, 0, 0, 0, NFS_PORT)
            writer.write(struct.pack(">I", 0x80000000 | len(reply)) + reply)
            await writer.drain()
    except (asyncio.IncompleteReadError, OSError):
        pass
    finally:
        writer.close()


async def main():
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    servers = []
    print("ready", flush=True)
    while line := await lines.readline():
        request = json.loads(line)
        servers.append(await asyncio.start_server(forward_to(request["socket"]), request["address"], NFS_PORT))
        servers.append(await asyncio.start_server(portmap, request["address"], 111))
        print("served", flush=True)


asyncio.run(main())
`;
