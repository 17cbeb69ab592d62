using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>export</c>: writes the dynamic entries of both policies, for <c>import</c> or for other tools.</summary>
internal static class Export
{
    /// <summary>The value of <c>couic_export</c> in the first line.</summary>
    public const int FormatVersion = 1;

    private static readonly string[] Formats = ["json", "plain", "nft", "ipset"];

    private static readonly OptionSpec Format = new("format", '\0', "FORMAT", "json (for \"couicctl import\"), plain, nft or ipset") { Default = "json" };

    public static readonly CommandSpec Spec = new()
    {
        Name = "export",
        Summary = "Write the entries to standard output",
        Details =
        [
            "The default is JSON lines with policy, network, tag, expiration and reason, which \"couicctl import\" reads back. The first line has the version of the format. "
            + "Entries of sets are not exported, since sets are files; --sets includes them.",
        ],
        Options =
        [
            Format,
            new OptionSpec("policy", 'p', "POLICY", "Only drop, or only ignore") { Kind = ValueKind.Policy },
            new OptionSpec("tags", 't', "PATTERNS", "Only entries whose tag matches"),
            new OptionSpec("sets", '\0', null, "Include the entries of sets"),
        ],
        Examples = ["couicctl export > rules.jsonl", "couicctl export --format nft -p drop | nft -f -"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        string format = invocation.Option(Format.Long) ?? "json";
        Policy only = default;
        CommonOptions.ThrowIfAny(
            Formats.Contains(format) ? null : $"\"{Printable.Quote(format)}\" is not a format; expected one of {string.Join(", ", Formats)}",
            invocation.Option("policy") is { } word ? NameArgument.TryPolicy(word, out only) : null);
        Policy[] policies = invocation.Has("policy") ? [only] : [Policy.Ignore, Policy.Drop];
        TagPatterns? patterns = invocation.Option("tags") is { } text ? TagPatterns.Parse(text) : null;
        using ApiClient api = invocation.Connect();
        ulong now = (ulong)invocation.Context.Clock.GetUtcNow().ToUnixTimeSeconds();
        Stream output = invocation.Context.Output;
        if (format == "json")
        {
            Write(output, $"{{\"couic_export\":{FormatVersion},\"couicctl\":\"{ProductVersion.Text}\",\"created\":{now}}}\n");
        }
        else if (format == "nft")
        {
            Write(output, "table inet couic {\n");
        }

        foreach (Policy policy in policies) // ignore first, so that an import never drops what it protects
        {
            WritePolicy(invocation, api, policy, format, now, patterns);
        }

        Write(output, format == "nft" ? "}\n" : "");
        return ExitStatus.Success;
    }

    private static void WritePolicy(Invocation invocation, ApiClient api, Policy policy, string format, ulong now, TagPatterns? patterns)
    {
        Stream output = invocation.Context.Output;
        IpFamily? family = null;
        string set = "";
        var claims = new StringBuilder(); // after the entries, so that an import needs few requests
        api.Stream(HttpMethod.Get, EntryPath.Of(policy), null, stream => JsonArrayReader.ForEach(stream, json =>
        {
            EntryLine entry = EntryLine.Parse(json);
            if (format == "json" && !entry.Claims.IsEmpty)
            {
                AppendClaims(claims, policy, entry, now, patterns);
            }

            bool isOfSet = entry.Tag.EndsWith(".couic"u8);
            if ((isOfSet && !invocation.Has("sets")) || !(patterns?.Match(entry.Tag) ?? true) || (entry.Expiration != 0 && entry.Expiration <= now))
            {
                return;
            }

            if (family != entry.Cidr.Family && format is "nft" or "ipset")
            {
                Write(output, family is null ? "" : EndOfSet(format));
                family = entry.Cidr.Family;
                set = $"{(format == "ipset" ? "couic-" : "")}{policy.Name()}{(family == IpFamily.V4 ? 4 : 6)}";
                Write(output, StartOfSet(format, set, family.Value));
            }

            Write(output, Line(format, policy, set, entry, isOfSet, now));
        }));
        Write(output, family is null ? "" : EndOfSet(format));
        Write(output, claims.ToString());
    }

    /// <summary>The claims of an entry besides the one that it shows.</summary>
    private static void AppendClaims(StringBuilder lines, Policy policy, EntryLine entry, ulong now, TagPatterns? patterns)
    {
        foreach (ClaimRecord claim in entry.ReadClaims().Skip(1))
        {
            if ((patterns?.Match(Encoding.UTF8.GetBytes(claim.Tag ?? "")) ?? true) && (claim.Expiration == 0 || claim.Expiration > now))
            {
                lines.Append(Json(policy, entry.Cidr.Network.ToString(), claim.Tag ?? "", claim.Expiration, claim.Reason ?? "", isClaim: true));
            }
        }
    }

    private static string Line(string format, Policy policy, string set, EntryLine entry, bool isOfSet, ulong now)
    {
        string cidr = entry.Cidr.Network.ToString();
        ulong left = entry.Expiration == 0 ? 0 : entry.Expiration - now;
        return format switch
        {
            "plain" => cidr + "\n",
            "nft" => $"\t\t\t{cidr}{(left == 0 ? "" : $" timeout {left}s")},\n",
            // A hash:net set cannot hold /0, but its two halves.
            "ipset" when entry.Cidr.Length == 0 => string.Concat(((string[])(entry.Cidr.Family == IpFamily.V4 ? ["0.0.0.0/1", "128.0.0.0/1"] : ["::/1", "8000::/1"]))
                .Select(half => Element(set, half, left))),
            "ipset" => Element(set, cidr, left),
            _ => Json(policy, cidr, isOfSet ? "" : Encoding.UTF8.GetString(entry.Tag), entry.Expiration, Encoding.UTF8.GetString(entry.Reason)),
        };
    }

    private static string Element(string set, string cidr, ulong left) => $"add {set} {cidr}{(left == 0 ? "" : $" timeout {left}")}\n";

    private static string Json(Policy policy, string cidr, string tag, ulong expiration, string reason, bool isClaim = false)
    {
        string because = reason.Length == 0 ? "" : $",\"reason\":\"{JsonEncodedText.Encode(reason, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{{\"policy\":\"{policy.Name()}\",\"cidr\":\"{cidr}\",\"tag\":{(tag.Length == 0 ? "null" : $"\"{tag}\"")},\"expiration\":{expiration}{because}{(isClaim ? ",\"claim\":true" : "")}}}\n");
    }

    private static string StartOfSet(string format, string set, IpFamily family) => format == "nft"
        ? $"\tset {set} {{\n\t\ttype {(family == IpFamily.V4 ? "ipv4_addr" : "ipv6_addr")}\n\t\tflags interval, timeout\n\t\tauto-merge\n\t\telements = {{\n"
        : $"create {set} hash:net family {(family == IpFamily.V4 ? "inet" : "inet6")} maxelem 1048576 timeout 0\n";

    private static string EndOfSet(string format) => format == "nft" ? "\t\t}\n\t}\n" : "";

    private static void Write(Stream output, string text) => output.Write(Encoding.UTF8.GetBytes(text));
}

/// <summary><c>import</c>: adds the entries of an export again, with their policies, tags and expirations.</summary>
internal static class Import
{
    private static readonly ArgumentSpec File = new("FILE", "What \"couicctl export\" wrote; \"-\" for standard input", ValueKind.File);

    public static readonly CommandSpec Spec = new()
    {
        Name = "import",
        Summary = "Add the entries of an export again",
        Details =
        [
            "Entries keep their policy, tag, expiration, reason and further claims; expired ones are skipped. Existing entries stay unchanged without --update. "
            + "A rejected line does not stop the others, and the exit status is 1. \"couicctl drop import\" reads lists without policies.",
        ],
        Arguments = [File],
        Options = [CommonOptions.Update, GuardOptions.Force, CommonOptions.DryRun],
        Examples = ["couicctl export > rules.jsonl", "couicctl import rules.jsonl"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        using NetworkList list = NetworkList.Open(invocation.Context, invocation.Argument(0), out long? size);
        using var progress = new ProgressBar(invocation.Context, "import") { Total = size };
        using ApiClient api = invocation.Connect();
        bool isDry = invocation.Has(CommonOptions.DryRun.Long);
        var guard = new OperatorGuard(invocation, api, !invocation.Has(GuardOptions.Force.Long));
        ulong now = (ulong)invocation.Context.Clock.GetUtcNow().ToUnixTimeSeconds();
        var segments = new ExportSegments(list, now);
        int? failure = null;
        var parts = new List<(Policy Policy, bool IsClaim, BulkRecord Result, ImportRejections Rejections)>();
        while (segments.TryNext(out Policy policy, out bool isClaim))
        {
            var source = new ImportSource(segments.TryNextItem, policy == Policy.Drop ? guard.Objection : static _ => null, () => list.Position, list.FileName);
            string query = invocation.GuardedQuery($"on_conflict={(isClaim ? "claim" : invocation.Has("update") ? "update" : "keep")}", isDry ? "dry_run=true" : null);
            using BulkContent content = BulkContent.Additions(source, new ItemDefaults("", 0, null), progress);
            ApiAnswer answer = EntryImport.Send(api, $"{EntryPath.Of(policy)}/bulk{query}", content);
            BulkRecord result = api.Parse(answer, WireJson.Default.BulkRecord);
            BulkReport.AddTo(source.Rejections, result, source.LineOf);
            progress.Dispose();
            invocation.Noted(answer);
            parts.Add((policy, isClaim, result, source.Rejections));
            if (invocation.IsJson)
            {
                failure = source.Rejections.Count > 0 ? ExitStatus.Failure : failure;
                continue;
            }

            invocation.Out.WriteLine(
                $"{(isDry ? "Dry run, " : "")}{policy.Name()}{(isClaim ? " claims" : "")}: {Quantity.Grouped(result.Created)} created, {Quantity.Grouped(result.Updated)} updated, "
                + $"{Quantity.Grouped(result.Unchanged)} unchanged, {Quantity.Grouped((ulong)source.Rejections.Count)} rejected");
            failure = BulkReport.Print(invocation, source.Rejections) ?? failure;
        }

        if (segments.Expired > 0)
        {
            invocation.Note($"{Quantity.Grouped(segments.Expired)} entries have expired since the export and were skipped");
        }

        if (invocation.IsJson)
        {
            IndentedJson.WriteObject(invocation, json => WriteParts(json, parts, segments.Expired));
        }

        return failure ?? ExitStatus.Success;
    }

    private static void WriteParts(Utf8JsonWriter json, List<(Policy Policy, bool IsClaim, BulkRecord Result, ImportRejections Rejections)> parts, ulong expired)
    {
        json.WriteStartArray("parts"u8);
        foreach ((Policy policy, bool isClaim, BulkRecord result, ImportRejections rejections) in parts)
        {
            json.WriteStartObject();
            json.WriteString("policy"u8, policy.Utf8Name());
            if (isClaim)
            {
                json.WriteBoolean("claims"u8, true);
            }

            BulkReport.WriteMembers(json, result, rejections);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("expired"u8, expired);
    }

    /// <summary>Splits an export into runs of one policy, or of claims of one policy. Each of them is one bulk request.</summary>
    private sealed class ExportSegments(NetworkList list, ulong now)
    {
        private ListItem? _next;
        private Policy _policy;
        private bool _isClaim;

        public ulong Expired { get; private set; }

        /// <summary>Advances to the next run.</summary>
        public bool TryNext(out Policy policy, out bool isClaim)
        {
            bool isAny = _next is not null || TryRead();
            policy = _policy = _next?.Policy ?? _policy;
            isClaim = _isClaim = _next?.IsClaim ?? false;
            return isAny;
        }

        /// <summary>Advances within the run.</summary>
        public bool TryNextItem(out ListItem item)
        {
            bool isAny = (_next is not null || TryRead()) && (_next!.Value.Fault is not null || (_next.Value.Policy == _policy && _next.Value.IsClaim == _isClaim));
            item = isAny ? _next!.Value : default;
            _next = isAny ? null : _next;
            return isAny;
        }

        private bool TryRead()
        {
            while (list.TryNext(out ListItem item))
            {
                if (item.Fault is null && item.Expiration is > 0 and ulong expiration && expiration <= now)
                {
                    Expired++;
                    continue;
                }

                _next = item.Fault is null && item.Policy is null
                    ? item with { Fault = $"{item.Cidr.Network} has no policy: this is not an export (use \"couicctl drop import\")" }
                    : item;
                return true;
            }

            return false;
        }
    }
}
