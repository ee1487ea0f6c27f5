# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs of the set "ten": none of the set "five", and of other kinds."""

import glob
import os
import pwd
import random
import subprocess

from page_programs import cxx_source
from page_tools import (Missing, list_of_texts, need, start, texts, wait_for_growth,
                        write_source)


def program_clang(scratch, wanted):
    """clang in the middle of an optimising compilation of C++."""
    process = start([need("clang++"), "-O2", "-g", "-S", "-o", "/dev/null", cxx_source(scratch)],
                    scratch)
    wait_for_growth(process, wanted * 1.2, 90)
    return process


def program_rustc(scratch, wanted):
    """rustc in the middle of an optimising compilation full of traits."""
    out = ["use std::collections::{BTreeMap, HashMap};", "use std::fmt::{self, Debug, Display};",
           "pub trait Score { type Out: Debug; fn score(&self, x: usize) -> Self::Out; }"]
    for i in range(600):
        out.append(f"""
#[derive(Debug, Clone, PartialEq, PartialOrd, Default)]
pub struct Record{i} {{ key: u64, name: String, values: Vec<f64>, parent: Option<Box<Record{i}>> }}
impl Display for Record{i} {{
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {{
		write!(f, "{{}}-{i}:{{:?}}", self.name, self.values)
	}}
}}
impl Score for Record{i} {{
	type Out = BTreeMap<String, usize>;
	fn score(&self, x: usize) -> Self::Out {{
		self.name.split_whitespace().enumerate().filter(|(n, _)| n % (x + {i % 7 + 1}) != 0)
			.map(|(n, w)| (w.to_uppercase(), n + w.len())).collect()
	}}
}}
pub fn handle{i}(lines: &[String]) -> Result<HashMap<String, Vec<Record{i}>>, std::num::ParseIntError> {{
	let mut seen: HashMap<String, Vec<Record{i}>> = HashMap::new();
	for line in lines {{
		let mut parts = line.split(':');
		let key: u64 = parts.next().unwrap_or("{i}").trim().parse()?;
		let record = Record{i} {{ key, name: line.clone(), values: parts.map(|p| p.len() as f64).collect(),
			parent: seen.get(line).and_then(|v| v.last()).cloned().map(Box::new) }};
		println!("{{}} {{:?}}", record, record.score(line.len()));
		seen.entry(line.to_lowercase()).or_default().push(record);
	}}
	seen.values_mut().for_each(|v| v.sort_by(|a, b| a.partial_cmp(b).unwrap()));
	Ok(seen)
}}
""")
    source = write_source(scratch, "unit.rs", "\n".join(out))
    process = start([need("rustc"), "--edition=2021", "--crate-type=lib", "-O", "-g",
                     "-o", os.path.join(scratch, "unit.rlib"), source], scratch)
    wait_for_growth(process, wanted * 1.3, 90)
    return process


def program_tsc(scratch, wanted):
    """The TypeScript compiler watching a project that it has checked."""
    out = []
    for i in range(1500):
        out.append(f"""
export interface Row{i} {{ id: number; name: string; tags: ReadonlyArray<string>; next?: Row{i} }}
export type Keys{i} = {{ [K in keyof Row{i}]-?: Row{i}[K] extends string ? K : never }}[keyof Row{i}];
export class Table{i}<T extends Row{i} = Row{i}> {{
	private rows = new Map<number, T>();
	constructor(private readonly element: HTMLElement, rows: Iterable<T>) {{
		for (const row of rows) this.rows.set(row.id * {i + 1}, row);
	}}
	find(key: Keys{i}, word: string): T | undefined {{
		return [...this.rows.values()].find((row) => row[key].startsWith(word));
	}}
	async show(signal: AbortSignal): Promise<Record<string, T[]>> {{
		const groups: Record<string, T[]> = {{}};
		this.rows.forEach((row) => row.tags.forEach((tag) => (groups[tag] ??= []).push(row)));
		this.element.replaceChildren(...Object.keys(groups).map((tag) => document.createTextNode(tag)));
		if (signal.aborted) throw new DOMException('{i}', 'AbortError');
		return groups;
	}}
}}
""")
    source = write_source(scratch, "unit.ts", "\n".join(out))
    process = start([need("tsc"), "--strict", "--noEmit", "--watch", "--target", "es2021",
                     "--lib", "es2021,dom,dom.iterable", source], scratch)
    wait_for_growth(process, wanted * 3, 60)
    return process


POSTGRES_SQL = r"""
set temp_buffers = '{third}kB'; set work_mem = '{third}kB';
create temp table lines (id serial primary key, path text, number int, line text);
copy lines (path, number, line) from '{data}';
create index on lines (line text_pattern_ops);
begin;
declare words cursor for
	select word, count(*), min(path), max(number) from
		(select path, number, unnest(regexp_split_to_array(line, '\W+')) as word from lines) w
	group by word order by word;
fetch 100 from words;
declare pairs cursor for
	select a.id, b.id, a.line from lines a join lines b on a.line = b.line and a.id < b.id;
fetch 100 from pairs;
select pg_sleep(600);
"""


def program_postgres(scratch, wanted):
    """PostgreSQL: a session with a temporary table, an index, a sort and a hash join."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
    if not found:
        raise Missing("not installed: postgresql")
    try:
        owner = pwd.getpwnam("postgres")
    except KeyError:
        raise Missing("there is no user 'postgres'") from None
    folder, as_owner = os.path.dirname(found[-1]), {"user": owner.pw_uid, "group": owner.pw_gid,
                                                    "extra_groups": []}
    data, cluster = os.path.join(scratch, "lines"), os.path.join(scratch, "cluster")
    written = 0
    with open(data, "w") as out:
        for path in texts():
            with open(path, errors="replace") as text:
                for number, line in enumerate(text):
                    line = line.rstrip("\n").replace("\0", "").replace("\\", "\\\\")
                    out.write(f"{path}\t{number}\t" + line.replace("\t", "\\t").replace("\r", "") + "\n")
                    written += len(line) + 60
            if written > wanted // 3:
                break
    for path in (scratch, data):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    made = start([os.path.join(folder, "initdb"), "-D", cluster, "-E", "UTF8", "--locale=C.UTF-8",
                  "--no-sync"], scratch, **as_owner)
    if made.wait(60) != 0:
        raise Missing("initdb fails")
    server = start([found[-1], "-D", cluster, "-k", scratch, "-c", "listen_addresses=",
                    "-c", "fsync=off", "-c", "max_parallel_workers_per_gather=0"],
                   scratch, **as_owner)
    sql = write_source(scratch, "work.sql", POSTGRES_SQL.format(third=wanted // 3 >> 10, data=data))
    os.chmod(sql, 0o644)
    psql = [os.path.join(folder, "psql"), "-h", scratch, "-d", "postgres"]
    for _ in range(100):
        probe = start(psql + ["-c", "select 1"], scratch, **as_owner)
        if probe.wait(30) == 0:
            break
    else:
        raise Missing("the server does not answer")
    start(psql + ["-f", sql], scratch, **as_owner)
    wait_for_growth(server, wanted * 1.1, 90)
    return server


def program_git(scratch, wanted):
    """git looking for deltas while it packs some thousand files in several versions."""
    git, repository = need("git"), os.path.join(scratch, "repository")
    if start([git, "init", "-q", "--bare", repository], scratch).wait(30) != 0:
        raise Missing("git init fails")
    importer = start([git, "-C", repository, "fast-import", "--quiet"], scratch, stdin=subprocess.PIPE)
    dice, size = random.Random(3), 0
    files = list(texts())
    for version in range(4):
        importer.stdin.write(b"commit refs/heads/main\ncommitter A <a@example.com> %d +0000\n"
                             b"data 8\nversion\n\n" % (1700000000 + version * 86400))
        for path in files:
            with open(path, errors="replace") as text:
                lines = text.read().encode().split(b"\n")
            for _ in range(version * 2):
                at = dice.randrange(len(lines))
                lines[at] = lines[dice.randrange(len(lines))] + b" %d" % version
            content = b"\n".join(lines)
            importer.stdin.write(b"M 644 inline %s\ndata %d\n%s\n"
                                 % (path[1:].replace(" ", "_").encode(), len(content), content))
            size += len(content)
            if size > wanted * (version + 1):
                break
    importer.stdin.close()
    if importer.wait(120) != 0:
        raise Missing("git fast-import fails")
    process = start([git, "-C", repository, "-c", "pack.threads=1", "repack", "-a", "-d", "-f",
                     "--window=250", "--depth=50"], scratch)
    wait_for_growth(process, wanted * 1.2, 60)
    return process


RUBY = r"""
require 'set'; require 'json'; require 'time'
Place = Struct.new(:path, :number, :line)
index, records, seen = Hash.new { |h, k| h[k] = [] }, [], Set.new
wanted = ARGV[0].to_i
STDIN.each_line(chomp: true) do |path|
  text = File.read(path, encoding: 'UTF-8').scrub rescue next
  text.each_line.with_index do |line, number|
    place = Place.new(path, number, line)
    line.scan(/\w+/) { |word| index[word.downcase] << place; seen << word.to_sym if word.size < 12 }
  end
  records << JSON.parse(JSON.generate(path: path, size: text.size, at: Time.at(1700000000 + text.size).iso8601,
                                      words: text.scan(/\w+/).tally.max_by(50) { |_, n| n }))
  pages = File.read('/proc/self/statm').split.map(&:to_i)
  break if (pages[1] - pages[2]) * 4096 > wanted
end
sleep
"""


def program_ruby(scratch, wanted):
    """Ruby indexing files: hashes, structures, strings, symbols."""
    with open(list_of_texts(scratch, order=4)) as stdin:
        process = start([need("ruby"), "-e", RUBY, str(int(wanted * 1.1))], scratch, stdin=stdin)
    wait_for_growth(process, wanted * 1.1, 90)
    return process


PHP = r"""
class Place { public function __construct(public string $path, public int $number, public ?string $line) {} }
$index = []; $rows = []; $wanted = (int)$argv[1];
while (($path = fgets(STDIN)) !== false) {
	$path = rtrim($path);
	$text = @file($path);
	if ($text === false) continue;
	foreach ($text as $number => $line) {
		$rows[] = ['path' => $path, 'number' => $number, 'length' => strlen($line), 'sum' => md5($line)];
		foreach (preg_split('/\W+/', $line, -1, PREG_SPLIT_NO_EMPTY) as $word)
			$index[$word][] = new Place($path, $number, $line);
	}
	if (memory_get_usage(true) > $wanted) break;
}
sleep(600);
"""


def program_php(scratch, wanted):
    """PHP with rows as arrays and an index of objects."""
    script = write_source(scratch, "index.php", "<?php\n" + PHP)
    with open(list_of_texts(scratch, order=5)) as stdin:
        process = start([need("php"), "-n", "-d", "memory_limit=-1", script,
                         str(int(wanted * 1.1))], scratch, stdin=stdin)
    wait_for_growth(process, wanted * 1.1, 90)
    return process


ERLANG = r"""
Wanted = WANTED,
Table = ets:new(words, [duplicate_bag]),
{ok, Paths} = file:read_file("PATHS"),
Keep = fun(Path, {Files, Lines}) ->
	case erlang:memory(total) < Wanted andalso file:read_file(Path) of
	{ok, Text} ->
		Split = [binary:copy(Line) || Line <- binary:split(Text, <<"\n">>, [global])],
		lists:foldl(fun(Line, Number) ->
			[ets:insert(Table, {binary_to_list(Word), {Path, Number}}) ||
				Word <- binary:split(Line, [<<" ">>, <<"(">>, <<"_">>, <<"\t">>], [global]), Word =/= <<>>],
			Number + 1 end, 1, Split),
		{Files#{Path => #{size => byte_size(Text), lines => length(Split)}}, [Split | Lines]};
	_ -> {Files, Lines} end end,
Kept = lists:foldl(Keep, {#{}, []}, binary:split(Paths, <<"\n">>, [global, trim])),
Workers = [spawn(fun() -> State = {N, lists:seq(1, 200), make_ref()}, receive stop -> State end end) || N <- lists:seq(1, 2000)],
receive stop -> {Kept, Workers} end.
"""


def program_erlang(scratch, wanted):
    """Erlang: a table of words, maps, binaries, two thousand processes."""
    code = ERLANG.replace("WANTED", str(int(wanted * 1.1))).replace(
        "PATHS", list_of_texts(scratch, order=6))
    process = start([need("erl"), "-noinput", "-eval", code], scratch)
    wait_for_growth(process, wanted * 1.1, 90)
    return process


SQLITE = r"""
create table lines (id integer primary key, path text, number integer, line text);
.mode ascii
.separator "\t" "\n"
.import LINES raw
insert into lines (path, number, line) select * from raw;
drop table raw;
create index by_line on lines (line);
create index by_path on lines (path, number desc);
create view long as select * from lines where length(line) > 70;
update lines set line = line || ' ' || id where id % 7 = 0;
delete from lines where id % 11 = 3;
select count(*) from long;
"""


def program_sqlite(scratch, wanted):
    """The SQLite shell with a database in memory: a table, two indexes, changes."""
    written, data = 0, os.path.join(scratch, "lines")
    with open(data, "w") as out:
        out.write("path\tnumber\tline\n")
        for path in texts():
            with open(path, errors="replace") as text:
                for number, line in enumerate(text):
                    line = line.strip().replace("\t", " ").replace("\0", "")
                    out.write(f"{path}\t{number}\t{line}\n")
                    written += 2 * len(line) + 2 * len(path) + 30
            if written > wanted * 1.1:
                break
    process = start([need("sqlite3"), ":memory:"], scratch, stdin=subprocess.PIPE)
    process.stdin.write(SQLITE.replace("LINES", data).encode())
    process.stdin.flush()  # and not closed: the shell waits for more
    wait_for_growth(process, wanted * 3, 60)
    return process


def program_ffmpeg(scratch, wanted):
    """FFmpeg encoding generated pictures as H.264."""
    process = start([need("ffmpeg"), "-nostdin", "-v", "quiet", "-threads", "2", "-f", "lavfi", "-i",
                     "testsrc2=size=640x360:rate=25,noise=alls=3:allf=t", "-f", "lavfi", "-i", "sine=frequency=440",
                     "-c:v", "libx264", "-threads", "2", "-preset", "medium", "-t", "600",
                     "-f", "null", "-"], scratch)
    wait_for_growth(process, wanted * 1.2, 40)
    return process


TEN = {
    "clang": program_clang, "rustc": program_rustc, "tsc": program_tsc,
    "postgres": program_postgres, "git": program_git, "ruby": program_ruby,
    "php": program_php, "erlang": program_erlang, "sqlite": program_sqlite,
    "ffmpeg": program_ffmpeg,
}
