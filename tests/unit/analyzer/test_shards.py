# ruff: noqa: S311 - seeded data, nothing secret
"""Parts of a dataset merge into what one pass over the whole gives."""

import json
import random

import pytest
from monitor_analyzer import cli, kll, shards, statistics
from monitor_analyzer.dataset import DatasetFormat, profile_dataset
from monitor_analyzer.errors import AnalyzerError

HOSTS = ["algo-1", "algo-2", "algo-3"]
HEADER = ["amount", "count", "state", "id", "late", "gaps"]


def rows(seed, number, states=("NY", "OH", "CA")):
    generator = random.Random(seed)
    for index in range(number):
        yield [
            repr(generator.lognormvariate(0, 2)),
            generator.randrange(40),
            generator.choice(states),
            f"{seed}-{index}",
            "x" if seed == 2 and index == 7 else index,
            "" if index % 3 else f"{index}.5",
        ]


@pytest.fixture
def parts(write_csv):
    """Three files of different sizes, each above what a sketch holds raw, in a folder of their own; and the whole."""
    files = [
        write_csv([HEADER, *rows(seed, number)], f"parts/{host}/data.csv")
        for seed, (host, number) in enumerate(zip(HOSTS, (9000, 3000, 14_000), strict=True), start=1)
    ]
    return files, files[0].parent.parent


def shard_of(path, host, watched=None, hosts=HOSTS):
    profile = profile_dataset(path, DatasetFormat(), watched)
    shard = shards.Shard(host, hosts, profile, watched or {})
    return shards.parse(json.loads(json.dumps(shards.document(shard))), f"{host}.json")


def test_merged_shards_are_the_whole(parts):
    """Counts, types, categories, extremes, distinct counts and buckets' totals equal one pass; moments to 1e-12."""
    files, folder = parts
    whole = profile_dataset(folder, DatasetFormat())
    merged = shards.merge([shard_of(path, host) for path, host in zip(files, HOSTS, strict=True)])
    assert merged.item_count == whole.item_count == 26_000
    for ours, theirs in zip(merged.columns, whole.columns, strict=True):
        for key in ("name", "missing", "types", "distinct", "registers", "categories", "categories_complete"):
            assert getattr(ours, key) == getattr(theirs, key), (ours.name, key)
        assert (ours.numeric is None) == (theirs.numeric is None)
        if ours.numeric:
            for key in ("count", "minimum", "maximum"):
                assert getattr(ours.numeric, key) == getattr(theirs.numeric, key), (ours.name, key)
            for key in ("total", "mean", "std_dev"):
                assert getattr(ours.numeric, key) == pytest.approx(getattr(theirs.numeric, key), rel=1e-12)
    assert [column.inferred_type for column in merged.columns] == [
        "Fractional",
        "Integral",
        "String",
        "String",
        "String",
        "Fractional",
    ]


@pytest.mark.parametrize("order", ["random", "sorted", "reversed"])
@pytest.mark.parametrize("parts_of", [2, 7, 40])
def test_merged_sketches_stay_within_their_bound(order, parts_of):
    """No weight is lost, and ranks err by less than the 0.5 % that the one-pass sketch is held to."""
    generator = random.Random(parts_of)
    values = [generator.gauss(0, 1) for _ in range(120_000)]
    if order != "random":
        values.sort(reverse=order == "reversed")
    merged = kll.Sketch()
    size = len(values) // parts_of + 1
    for begin in range(0, len(values), size):
        part = kll.Sketch()
        part.extend(values[begin : begin + size])
        merged.merge(part.levels)
    assert merged.size == sum(map(len, merged.levels)) <= kll.total_capacity(len(merged.levels))
    ranks, ordered = kll.Ranks(merged.levels), sorted(values)
    assert ranks.total == len(values)
    worst = max(abs(ranks.up_to(ordered[index]) - index - 1) for index in range(0, len(values), 499))
    assert worst / len(values) < 0.005


def test_one_shard_is_that_pass(parts):
    """A single part comes back unchanged, sketch and moments to the last bit."""
    [path, *_], _ = parts
    whole = profile_dataset(path, DatasetFormat())
    merged = shards.merge([shard_of(path, "algo-1", hosts=["algo-1"])])
    assert statistics.document(merged) == statistics.document(whole)


def test_a_column_of_more_values_than_are_kept_counts_what_a_constraint_names(write_csv):
    """Watched texts are summed over shards although categories are not complete; unwatched ones are refused."""
    files = [
        write_csv([["s", "k"], *[[f"v{seed}-{index}", 1] for index in range(5000)], ["x", 1]], f"{seed}.csv")
        for seed in (1, 2)
    ]
    hosts = ["a", "b"]
    watching = {"s": ["x", "never"]}
    merged = shards.merge(
        [shard_of(path, host, watching, hosts) for path, host in zip(files, hosts, strict=True)], watching
    )
    assert merged.columns[0].categories == {"x": 2}
    assert merged.columns[0].categories_complete is False
    blind = [shard_of(path, host, None, hosts) for path, host in zip(files, hosts, strict=True)]
    assert shards.merge(blind).columns[0].categories == {}
    with pytest.raises(AnalyzerError, match=r"a\.json: the values that the constraints of feature 's' name were not"):
        shards.merge(blind, watching)


def test_a_host_that_is_missing_or_twice_is_named(parts):
    """Nothing is left out or counted twice in silence."""
    files, _ = parts
    found = [shard_of(path, host) for path, host in zip(files, HOSTS, strict=True)]
    assert [shard.host for shard in shards.ordered(found[::-1])] == HOSTS
    with pytest.raises(AnalyzerError, match="the shard of algo-2 is missing"):
        shards.ordered([found[0], found[2]])
    with pytest.raises(AnalyzerError, match="the shard of algo-1 is there twice"):
        shards.ordered([*found, found[0]])
    with pytest.raises(AnalyzerError, match="of a job on b, the first one of a job on algo-1, algo-2, algo-3"):
        shards.ordered([*found, shard_of(files[0], "b", hosts=["b"])])


def test_shards_of_other_columns_are_refused(write_csv):
    """Columns in another order would mix values."""
    found = [
        shard_of(write_csv([names, [1, 2]], f"{host}.csv"), host, hosts=["a", "b"])
        for host, names in (("a", ["x", "y"]), ("b", ["y", "x"]))
    ]
    with pytest.raises(AnalyzerError, match=r"b\.json: the columns differ"):
        shards.merge(found)


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: c.pop("hosts"),
        lambda c: c.update(version=2),
        lambda c: c.update(item_count=-1),
        lambda c: c["columns"][0].update(registers="AAAA"),
        lambda c: c["columns"][0].update(registers="*"),
        lambda c: c["columns"][0].update(numeric=None),
        lambda c: c["columns"][0]["numeric"].update(total="1"),
        lambda c: c["columns"][0]["numeric"]["levels"].append([1.0]),
        lambda c: c["columns"][0]["types"].pop("string"),
        lambda c: c["columns"][0].update(categories=[]),
    ],
)
def test_a_damaged_shard_is_one_error(write_csv, damage):
    """What is no shard is named by its file."""
    profile = profile_dataset(write_csv([["a"], [1], [2]]), DatasetFormat())
    content = json.loads(json.dumps(shards.document(shards.Shard("a", ["a"], profile, {}))))
    damage(content)
    with pytest.raises(AnalyzerError, match=r"^here\.json: this shard has version|^here\.json: this is no shard"):
        shards.parse(content, "here.json")


def test_the_container_shards_and_merges(opt_ml, parts, write_csv):
    """Jobs on three hosts leave shards, one without a file; the merging job writes the results of one job."""
    files, _ = parts
    root, run = opt_ml
    baseline = root / "baseline"
    run(dataset_source=files[0].parent, output_path=baseline)
    limits = {
        "baseline_statistics": baseline / "statistics.json",
        "baseline_constraints": baseline / "constraints.json",
    }
    today = [write_csv([HEADER, *rows(5, 900, ("NY", "TX"))], "today/1/data.csv")]
    today.append(write_csv([HEADER, *rows(6, 700)], "today/2/data.csv"))
    (root / "none").mkdir(parents=True)
    for host, source in zip(HOSTS, [today[0].parent, today[1].parent, root / "none"], strict=True):
        (root / "config").mkdir(exist_ok=True)
        (root / "config" / "resourceconfig.json").write_text(json.dumps({"current_host": host, "hosts": HOSTS}))
        code, message, _ = run(
            dataset_source=source,
            output_path=root / "shards" / host,
            analysis_stage="shard",
            baseline_constraints=limits["baseline_constraints"],
        )
        assert code == 0, message
    assert message == "Completed: Shard algo-3 of 3 holds 0 rows."
    code, message, merged = run(
        dataset_source=root / "shards", output_path=root / "merged", analysis_stage="merge", **limits
    )
    assert code == 0, message
    _, said, whole = run(dataset_source=today[0].parent.parent, output_path=root / "whole", **limits)
    assert message == said
    assert sorted(merged) == sorted(whole)
    assert merged["constraint_violations.json"] == whole["constraint_violations.json"]
    assert merged["constraints.json"] == whole["constraints.json"]
    (root / "shards" / "algo-2" / "shard-algo-2.json").unlink()
    code, message, _ = run(dataset_source=root / "shards", analysis_stage="merge", **limits)
    assert (code, "the shard of algo-2 is missing" in message) == (255, True)


def test_a_person_shards_and_merges(parts, tmp_path, capsys):
    """`shard` for each part, then `merge`: the same summary as `profile` of the whole."""
    files, folder = parts
    for path, host in zip(files, HOSTS, strict=True):
        assert (
            cli.main(["shard", str(path), "--name", host, "--parts", ",".join(HOSTS), "--output", str(tmp_path / host)])
            == 0
        )
        (tmp_path / "all").mkdir(exist_ok=True)
        (tmp_path / host / f"shard-{host}.json").rename(tmp_path / "all" / f"shard-{host}.json")
    capsys.readouterr()
    assert cli.main(["merge", str(tmp_path / "all")]) == 0
    merged = capsys.readouterr().out
    assert cli.main(["profile", str(folder)]) == 0
    assert merged == capsys.readouterr().out
