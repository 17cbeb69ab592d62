using System.Globalization;
using System.Text.Json;
using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>why</c>: the entries that decide about addresses and networks, and the verdicts.</summary>
internal static class Why
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "why",
        Summary = "Explain what happens to the packets of addresses and networks",
        Details =
        [
            "Lists every entry that covers the address. An entry in ignore passes it, even if drop covers it; otherwise an entry in drop drops it; "
            + "within a policy the longest prefix decides which entry counts the packets. For a network, the entries inside it are listed, too.",
            "Exit status: 0 when all packets pass, 7 when some are dropped.",
        ],
        Arguments = [new ArgumentSpec("ADDRESS", "IPv4 or IPv6 addresses, networks or ranges", ValueKind.Cidr, Occurs.AtLeastOnce)],
        Options = [new OptionSpec("quiet", 'q', null, "Print nothing; the exit status is the answer") { NotWith = "json" }],
        Examples = ["couicctl why 192.0.2.7", "couicctl why 192.0.2.0/24 2001:db8::7", "couicctl why -q 192.0.2.7 && echo passes"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        List<Cidr> subjects = invocation.CidrArguments();
        using ApiClient api = invocation.Connect();
        List<Explanation> all = subjects.ConvertAll(subject => Explanation.Of(api, subject.Network));
        if (invocation.IsJson)
        {
            using (var json = new Utf8JsonWriter(invocation.Context.Output, IndentedJson.Options))
            {
                if (all is [var only])
                {
                    only.WriteJson(json);
                }
                else
                {
                    json.WriteStartArray();
                    all.ForEach(one => one.WriteJson(json));
                    json.WriteEndArray();
                }
            }

            invocation.Context.Output.WriteByte((byte)'\n');
        }
        else if (!invocation.Has("quiet"))
        {
            WhyScreen.Write(invocation, all);
        }

        return all.Exists(one => one.Verdict != "pass") ? ExitStatus.Dropped : ExitStatus.Success;
    }
}

/// <summary>An entry that covers an address, or lies inside a network.</summary>
/// <param name="Json">The entry as the API sent it.</param>
internal sealed record CoveringEntry(Policy Policy, Cidr Cidr, EntryRecord Entry, byte[] Json);

/// <summary>What happens to the packets of one address or network.</summary>
/// <param name="Covering">Entries that cover all of it: those of ignore before those of drop, longest prefix first; the first one decides.</param>
/// <param name="Inside">Entries inside a network, in the order of <paramref name="Covering"/> of the policies; at most a thousand of each.</param>
internal sealed record Explanation(Cidr Subject, List<CoveringEntry> Covering, List<CoveringEntry> Inside)
{
    private const int MaxInside = 1_000;

    /// <summary><c>pass</c>, <c>drop</c>, or <c>mixed</c> for a network of which only a part is dropped.</summary>
    public string Verdict => Covering is [{ Policy: Policy.Ignore }, ..] ? "pass"
        : Covering.Count > 0 ? Inside.Exists(e => e.Policy == Policy.Ignore) ? "mixed" : "drop"
        : Inside.Exists(e => e.Policy == Policy.Drop && !Inside.Exists(i => i.Policy == Policy.Ignore && i.Cidr.Contains(e.Cidr))) ? "mixed" : "pass";

    public string Name => Subject.Length == Subject.MaxLength ? Subject.AddressText() : Subject.ToString();

    /// <summary>The verdict in a sentence.</summary>
    public string Sentence
    {
        get
        {
            string first = Covering.Count == 0 ? "" : $"{Covering[0].Cidr} is in {Covering[0].Policy.Name()}";
            int ignored = Inside.Count(e => e.Policy == Policy.Ignore), dropped = Inside.Count - ignored;
            return Verdict switch
            {
                "drop" => $"{Name} is dropped: {first}",
                "mixed" when Covering.Count > 0 => $"{Name} is dropped in part: {first}, but {Networks(ignored)} inside it in ignore",
                "mixed" => $"{Name} is dropped in part: {Networks(dropped)} inside it in drop",
                _ when Covering.Count > 0 => $"{Name} passes: {first}{(Covering[^1].Policy == Policy.Drop || dropped > 0 ? ", which wins over drop" : "")}",
                _ => $"{Name} passes: no entry covers it",
            };
        }
    }

    public static Explanation Of(ApiClient api, Cidr subject)
    {
        var covering = new List<CoveringEntry>();
        var inside = new List<CoveringEntry>();
        foreach (Policy policy in (ReadOnlySpan<Policy>)[Policy.Ignore, Policy.Drop])
        {
            // A daemon of 1.x ignores the query and returns all entries, so they are filtered here.
            covering.AddRange(Read(api, policy, $"match={subject.AddressText()}", cidr => cidr.Contains(subject)).OrderByDescending(e => e.Cidr.Length));
            if (subject.Length < subject.MaxLength)
            {
                string query = $"after={Uri.EscapeDataString(subject.ToString())}&limit={MaxInside}";
                inside.AddRange(Read(api, policy, query, cidr => subject.Contains(cidr) && cidr != subject));
            }
        }

        return new Explanation(subject, covering, inside);
    }

    public void WriteJson(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("address"u8, Name);
        json.WriteString("verdict"u8, Verdict);
        json.WritePropertyName("decided_by"u8);
        if (Covering.Count == 0)
        {
            json.WriteNullValue();
        }
        else
        {
            json.WriteStartObject();
            json.WriteString("policy"u8, Covering[0].Policy.Utf8Name());
            json.WriteString("cidr"u8, Covering[0].Cidr.ToString());
            json.WriteEndObject();
        }

        WriteEntries(json, Covering);
        if (Subject.Length < Subject.MaxLength)
        {
            json.WriteStartObject("inside"u8);
            WriteEntries(json, Inside);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WriteEntries(Utf8JsonWriter json, List<CoveringEntry> entries)
    {
        foreach (Policy policy in Policies.All)
        {
            json.WriteStartArray(policy.Utf8Name());
            foreach (CoveringEntry entry in entries.Where(e => e.Policy == policy))
            {
                IndentedJson.Copy(entry.Json, json);
            }

            json.WriteEndArray();
        }
    }

    private static List<CoveringEntry> Read(ApiClient api, Policy policy, string query, Predicate<Cidr> matches)
    {
        var found = new List<CoveringEntry>();
        api.Stream(HttpMethod.Get, $"{EntryPath.Of(policy)}?{query}&details=true", null, stream => JsonArrayReader.ForEach(stream, json =>
        {
            Cidr cidr = EntryLine.Parse(json).Cidr.Network;
            if (matches(cidr))
            {
                found.Add(new CoveringEntry(policy, cidr, JsonSerializer.Deserialize(json, WireJson.Default.EntryRecord)!, json.ToArray()));
            }
        }));
        return found;
    }

    private static string Networks(int count) => count == 1 ? "1 network is" : $"{(count == MaxInside ? "at least " : "")}{Quantity.Grouped((ulong)count)} networks are";
}

/// <summary>The answer of <c>why</c> for people: a sentence, then two lines per entry, which fit any terminal.</summary>
internal static class WhyScreen
{
    private const int Indent = 8;

    /// <summary>Entries inside a network that are shown.</summary>
    private const int MaxShown = 10;

    public static void Write(Invocation invocation, List<Explanation> all)
    {
        DateTimeOffset now = invocation.Context.Clock.GetUtcNow();
        if (invocation.Style.Format == OutputFormat.Tsv)
        {
            WriteRows(invocation, all);
            return;
        }

        for (int i = 0; i < all.Count; i++)
        {
            invocation.Out.Write(i > 0 && all[i - 1].Covering.Count + all[i - 1].Inside.Count > 0 ? "\n" : "");
            Explanation one = all[i];
            Colour colour = one.Verdict switch { "pass" => Colour.Green, "drop" => Colour.Red, _ => Colour.Yellow };
            foreach (string line in Wrapping.Lines(one.Sentence, invocation.Style.Width ?? int.MaxValue))
            {
                invocation.Out.WriteLine(invocation.Style.On(colour, line));
            }

            invocation.Out.Write(one.Covering.Count + one.Inside.Count > 0 ? "\n" : "");
            one.Covering.ForEach(entry => WriteEntry(invocation, entry, ReferenceEquals(entry, one.Covering[0]) ? "  decides" : "", now));
            foreach (CoveringEntry entry in one.Inside.Take(MaxShown))
            {
                WriteEntry(invocation, entry, "  inside", now);
            }

            if (one.Inside.Count > MaxShown)
            {
                invocation.Out.WriteLine($"and {Quantity.Grouped((ulong)(one.Inside.Count - MaxShown))} more inside (--json lists them)");
            }
        }
    }

    private static void WriteEntry(Invocation invocation, CoveringEntry entry, string role, DateTimeOffset now)
    {
        invocation.Out.WriteLine($"{entry.Policy.Name().PadRight(Indent)}{entry.Cidr}{role}");
        WriteFacts(invocation, Facts(entry.Entry, now));
        foreach (ClaimRecord claim in entry.Entry.Claims?.Skip(1) ?? [])
        {
            WriteFacts(invocation, Facts(claim, now));
        }
    }

    private static void WriteFacts(Invocation invocation, IEnumerable<string> facts)
    {
        foreach (string line in Wrapping.Lines(string.Join(", ", facts), (invocation.Style.Width ?? int.MaxValue) - Indent))
        {
            invocation.Out.WriteLine(new string(' ', Indent) + line);
        }
    }

    /// <summary>A claim besides the one that the entry shows.</summary>
    private static IEnumerable<string> Facts(ClaimRecord claim, DateTimeOffset now)
    {
        yield return string.IsNullOrEmpty(claim.Tag) ? "also without a tag" : $"also tag {Printable.Escape(claim.Tag)}";
        yield return Expiry(claim.Expiration, now) + (string.IsNullOrEmpty(claim.AddedBy) ? "" : $", added by {Printable.Escape(claim.AddedBy)}");
        if (!string.IsNullOrEmpty(claim.Reason))
        {
            yield return $"because: {Printable.Escape(claim.Reason)}";
        }
    }

    private static string Expiry(ulong expiration, DateTimeOffset now) =>
        ExpirationCell.Format(expiration, now) switch { "never" => "never expires", "expired" => "expired", var left => $"expires in {left}" };

    private static IEnumerable<string> Facts(EntryRecord entry, DateTimeOffset now)
    {
        ulong second = (ulong)now.ToUnixTimeSeconds();
        yield return string.IsNullOrEmpty(entry.Tag) ? "no tag" : $"tag {Printable.Escape(entry.Tag)}";
        yield return Expiry(entry.Expiration, now);
        yield return $"added {Ago.Text(entry.Creation, second)}{(string.IsNullOrEmpty(entry.AddedBy) ? "" : $" by {Printable.Escape(entry.AddedBy)}")}";
        if (entry.Packets is { } packets)
        {
            yield return packets == 1 ? "1 packet" : $"{Quantity.Grouped(packets)} packets";
        }

        if (entry.LastHit is > 0 and ulong hit)
        {
            yield return $"last hit {Ago.Text(hit, second)}";
        }

        if (!string.IsNullOrEmpty(entry.Reason))
        {
            yield return $"because: {Printable.Escape(entry.Reason)}";
        }
    }

    private static void WriteRows(Invocation invocation, List<Explanation> all) => Table.Write(
        invocation,
        all.SelectMany(one => one.Covering.Concat(one.Inside).Cast<CoveringEntry?>().DefaultIfEmpty(null).Select(entry => (One: one, Entry: entry))),
        new Column<(Explanation One, CoveringEntry? Entry)>("Address", row => row.One.Name),
        new("Verdict", row => row.One.Verdict),
        new("Decides", row => row.Entry is not null && row.One.Covering.Count > 0 && ReferenceEquals(row.Entry, row.One.Covering[0]) ? "yes" : "no"),
        new("Policy", row => row.Entry?.Policy.Name() ?? ""),
        new("CIDR", row => row.Entry?.Cidr.ToString() ?? ""),
        new("Tag", row => Printable.Escape(row.Entry?.Entry.Tag ?? "")),
        new("Expiration", row => row.Entry is null ? "" : PointInTime.Text(row.Entry.Entry.Expiration)),
        new("Added", row => row.Entry is null ? "" : PointInTime.Text(row.Entry.Entry.Creation)),
        new("Added by", row => Printable.Escape(row.Entry?.Entry.AddedBy ?? "")),
        new("Packets", row => row.Entry?.Entry.Packets?.ToString(CultureInfo.InvariantCulture) ?? ""),
        new("Last hit", row => row.Entry?.Entry.LastHit is { } hit ? PointInTime.Text(hit) : ""),
        new("Reason", row => Printable.Escape(row.Entry?.Entry.Reason ?? "")));
}
