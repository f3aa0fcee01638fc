/*
 * Writes what libmms receives to a file, as players that are built on libmms (Totem, Audacious) read it.
 *
 *     mmsdump [-x] [-s SECONDS] URL FILE
 *
 * -x takes libmms's own way from protocol to protocol (mms:// is MMS and then HTTP); without it only MMS is spoken.
 * -s asks for another position right after the header, while packets are already coming.
 *
 * Exit code: 0 at the end of the stream, 1 if nothing came, 2 if the file cannot be written, 3 for wrong usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <libmms/mms.h>
#include <libmms/mmsx.h>

/* What it may choose streams for, in bits per second: all of them. */
#define BANDWIDTH 10000000

static mms_t *mms;
static mmsx_t *mmsx;

static int read_some(char *buffer, int size)
{
	return mms ? mms_read(NULL, mms, buffer, size) : mmsx_read(NULL, mmsx, buffer, size);
}

static int copy(FILE *out, long limit)
{
	char buffer[4096];

	while (limit != 0) {
		int want = limit > 0 && limit < (long)sizeof buffer ? (int)limit : (int)sizeof buffer;
		int n = read_some(buffer, want);
		if (n <= 0)
			return limit < 0 ? 0 : 1;
		if (fwrite(buffer, 1, n, out) != (size_t)n)
			return 2;
		if (limit > 0)
			limit -= n;
	}
	return 0;
}

int main(int argc, char **argv)
{
	double from = -1;
	int extended = 0, option, code = 0;
	FILE *out;

	while ((option = getopt(argc, argv, "xs:")) != -1) {
		switch (option) {
		case 'x':
			extended = 1;
			break;
		case 's':
			from = atof(optarg);
			break;
		default:
			return 3;
		}
	}
	if (argc - optind != 2)
		return 3;
	if (extended)
		mmsx = mmsx_connect(NULL, NULL, argv[optind], BANDWIDTH);
	else
		mms = mms_connect(NULL, NULL, argv[optind], BANDWIDTH);
	if (!mms && !mmsx) {
		fprintf(stderr, "mmsdump: no connection\n");
		return 1;
	}
	out = fopen(argv[optind + 1], "wb");
	if (!out) {
		perror("mmsdump");
		return 2;
	}
	if (from >= 0) {
		code = copy(out, mms ? mms_get_asf_header_len(mms) : mmsx_get_asf_header_len(mmsx));
		if (code == 0 && !(mms ? mms_time_seek(NULL, mms, from) : mmsx_time_seek(NULL, mmsx, from))) {
			fprintf(stderr, "mmsdump: cannot seek\n");
			code = 1;
		}
	}
	if (code == 0)
		code = copy(out, -1);
	if (fclose(out) != 0)
		code = 2;
	if (mms)
		mms_close(mms);
	else
		mmsx_close(mmsx);
	return code;
}
