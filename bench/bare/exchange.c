/* ROWS: three random INT columns, hashed by the third, written to a loopback TCP connection, read back, checksummed. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/bare/bare.h"

static int connect_to_self(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), buffer = 4 << 20;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        return -1;
    }
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    if (connect(ends[0], (struct sockaddr *)&address, size) != 0) return -1;
    ends[1] = accept(listener, NULL, NULL);
    setsockopt(ends[1], SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    close(listener);
    return ends[1] < 0 ? -1 : 0;
}

/* A block fits the socket's buffers, so that one thread may write it and then read it. */
static int send_and_receive(const int ends[2], const bare_block *block, bare_block *received)
{
    size_t sent = 0, got = 0;
    while (got < sizeof *block) {
        if (sent < sizeof *block) {
            ssize_t wrote = send(ends[0], (const char *)block + sent, sizeof *block - sent, MSG_DONTWAIT);
            if (wrote > 0) sent += (size_t)wrote;
        }
        ssize_t read_bytes = recv(ends[1], (char *)received + got, sizeof *block - got, MSG_DONTWAIT);
        if (read_bytes == 0) return -1;
        if (read_bytes > 0) got += (size_t)read_bytes;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int64_t rows = argc > 1 ? strtoll(argv[1], NULL, 10) : 50000000;
    static bare_block block, received;
    bare_random random = {1};
    uint64_t check = 0;
    int ends[2];
    if (connect_to_self(ends) != 0) {
        perror("exchange");
        return 1;
    }
    for (int64_t left = rows; left > 0; left -= BARE_ROWS) {
        int64_t count = left < BARE_ROWS ? left : BARE_ROWS;
        bare_generate(&random, &block);
        for (int64_t i = 0; i < count; i++) {
            uint64_t hash = (uint64_t)(uint32_t)block.columns[2][i] * UINT64_C(0x9fb21c651e98df25);
            check += hash >> 63; /* the partition it would go to */
        }
        if (send_and_receive(ends, &block, &received) != 0) return 1;
        for (int c = 0; c < BARE_COLUMNS; c++) {
            for (int64_t i = 0; i < count; i++)
                check += (uint32_t)received.columns[c][i];
        }
    }
    bare_report(rows, check);
    return 0;
}
