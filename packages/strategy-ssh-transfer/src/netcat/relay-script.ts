/**
 * Runs the relay below with the first Python of the host: EL8 may have only `platform-python`, EL7 only Python 2. VDSM is
 * written in Python, so every host has one. nc, which not every host has, could not tell the client from a stranger.
 * Arguments: the relay's program, then its arguments but the first.
 */
export const START_RELAY = `
for python in python3 /usr/libexec/platform-python python2 python; do
  command -v "$python" >/dev/null 2>&1 || continue
  program=$1
  shift
  "$python" -E -s -c "$program" "$directory" "$@"
  exit
done
echo "there is no Python" >&2
exit 127
`;

/** Lengths of the two halves of a ticket, which the relay reads from its standard input: proof, then answer. */
export const TICKET_BYTES = { proof: 32, answer: 32 } as const;

/**
 * Listens on one TCP port, prints its number and address, and joins the first connection that sends the proof with a
 * unix socket; from then on nothing listens any more. A stranger gets no byte. The relay disconnects one that sends
 * something else, or nothing for a few seconds, and keeps the port open for the client. Too many strangers at a time
 * drive out one another, the oldest first; a client has sent its proof by then.
 *
 * Ends after the deadline without a client, and with the connection.
 * Arguments: its directory, whose name look-ups find; the network whose address to listen on, empty for the address that
 * SSH uses; first and last port; the unix socket, empty to only answer the proof; seconds to wait for the client. Written
 * for Python 2.7 and 3.
 */
export const RELAY = `
import os, select, socket, sys, threading, time

MOST_STRANGERS = 256
ACCEPTED_AT_ONCE = 32
PROOF_SECONDS = 5
PIECE_BYTES = 262144

def fail(reason):
    sys.stderr.write(reason + "\\n")
    sys.stderr.flush()
    os._exit(1)

def read_input(length):
    data = b""
    while len(data) < length:
        piece = os.read(0, length - len(data))
        if not piece:
            fail("no ticket")
        data += piece
    return data

def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET

def number(address):
    value = 0
    for byte in bytearray(socket.inet_pton(family_of(address), address)):
        value = value << 8 | byte
    return value

def own_address(network):
    if not network:
        return os.environ["SSH_CONNECTION"].split()[2]
    base, bits = network.split("/")
    # Sends nothing: only asks which address of this host the packets would have.
    probe = socket.socket(family_of(base), socket.SOCK_DGRAM)
    try:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        probe.connect((base, 9))
        own = probe.getsockname()[0]
    except (OSError, socket.error):
        own = None
    width = 128 if ":" in base else 32
    if own is None or (number(own) ^ number(base)) >> (width - int(bits)):
        fail("no address in " + network)
    return own

def listen(address, first, last):
    reason = None
    for port in range(first, last + 1):
        where = socket.getaddrinfo(address, port, 0, socket.SOCK_STREAM)[0]
        listener = socket.socket(where[0], socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(where[4])
            listener.listen(128)
            listener.setblocking(False)
            return listener, port
        except (OSError, socket.error) as error:
            reason = error
            listener.close()
    fail("no free port from %d to %d: %s" % (first, last, reason))

def same(one, other):
    difference = len(one) ^ len(other)
    for a, b in zip(bytearray(one), bytearray(other)):
        difference |= a ^ b
    return difference == 0

def receive(client, length):
    try:
        return client.recv(length)
    except (OSError, socket.error):
        return b""

def accept_some(listener, waiting, deadline):
    for _ in range(ACCEPTED_AT_ONCE):
        try:
            client = listener.accept()[0]
        except (OSError, socket.error):
            return
        client.setblocking(False)
        if len(waiting) == MOST_STRANGERS:
            waiting.pop(0)[0].close()
        waiting.append([client, b"", deadline])

def proven(listener, proof, seconds):
    """The first connection that sends the proof. Its attempt is its first bytes, as many as the proof has."""
    waiting = []
    end = time.time() + seconds
    while True:
        now = time.time()
        if now >= end:
            fail("no client within %d s" % seconds)
        for late in [one for one in waiting if one[2] <= now]:
            late[0].close()
            waiting.remove(late)
        next_end = min([end] + [one[2] for one in waiting])
        ready = select.select([listener] + [one[0] for one in waiting], [], [], next_end - now)[0]
        for one in [one for one in waiting if one[0] in ready]:
            piece = receive(one[0], len(proof) - len(one[1]))
            one[1] += piece
            if len(one[1]) == len(proof) and same(one[1], proof):
                for other in waiting:
                    if other is not one:
                        other[0].close()
                listener.close()
                return one[0]
            if not piece or len(one[1]) == len(proof):
                one[0].close()
                waiting.remove(one)
        if listener in ready:
            accept_some(listener, waiting, time.time() + PROOF_SECONDS)

def pump(source, target):
    piece = bytearray(PIECE_BYTES)
    view = memoryview(piece)
    try:
        while True:
            length = source.recv_into(piece)
            if not length:
                break
            target.sendall(view[:length])
        target.shutdown(socket.SHUT_WR)
    except (OSError, socket.error):
        os._exit(0)

network, first, last, service, seconds = sys.argv[2:]
proof = read_input(${TICKET_BYTES.proof})
answer = read_input(${TICKET_BYTES.answer})
address = own_address(network)
listener, port = listen(address, int(first), int(last))
sys.stdout.write("%d %s\\n" % (port, address))
sys.stdout.flush()
client = proven(listener, proof, int(seconds))
client.setblocking(True)
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
if not service:
    client.sendall(answer)
    os._exit(0)
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
try:
    server.connect(service)
except (OSError, socket.error) as error:
    fail("cannot reach %s: %s" % (service, error))
client.sendall(answer)
inwards = threading.Thread(target=pump, args=(client, server))
inwards.start()
pump(server, client)
inwards.join()
os._exit(0)
`;
