using System.Globalization;
using System.Net;
using System.Text.Json;

namespace Couic.IntegrationTests.Harness;

/// <summary>What the kernel itself holds for a daemon, read with bpftool from the maps whose descriptors the daemon has open.</summary>
internal static class KernelTables
{
    private static readonly string[] Tries = ["couic_ipv4_drop", "couic_ipv6_drop", "couic_ipv4_ignore", "couic_ipv6_ignore"];

    /// <summary>All entries as <c>POLICY CIDR</c>, sorted.</summary>
    public static string[] Read(Daemon daemon)
    {
        List<string> entries = [];
        foreach ((string trie, string id) in TriesOf(daemon))
        {
            entries.AddRange(Tool("map", "dump", "id", id).EnumerateArray().Select(e => $"{trie.Split('_')[2]} {Cidr(e.GetProperty("key"))}"));
        }

        return [.. entries.Order(StringComparer.Ordinal)];
    }

    /// <summary>Removes a key as another privileged program could.</summary>
    public static void Delete(Daemon daemon, string trie, string cidr) =>
        Shell.Check(null, "bpftool", ["map", "delete", "id", TriesOf(daemon)[trie], "key", "hex", .. Key(cidr)]);

    /// <summary>Adds a key as another privileged program could.</summary>
    public static void Put(Daemon daemon, string trie, string cidr) =>
        Shell.Check(null, "bpftool", ["map", "update", "id", TriesOf(daemon)[trie], "key", "hex", .. Key(cidr), "value", "hex", "01", "00", "00", "00"]);

    /// <summary>The same over the API.</summary>
    public static string[] OfApi(Daemon daemon) =>
    [
        .. new[] { "drop", "ignore" }
            .SelectMany(p => daemon.Api.Get($"/v1/{p}").Expect(200).Json.EnumerateArray().Select(e => $"{p} {e.GetProperty("cidr").GetString()}"))
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>The numbers of a daemon's maps of a name.</summary>
    public static IEnumerable<int> Ids(Daemon daemon, string name) => MapIds(daemon.Process.Id).Where(id => name.StartsWith(NameOf(id), StringComparison.Ordinal));

    private static string NameOf(int id) => Tool("map", "show", "id", id.ToString(CultureInfo.InvariantCulture)).GetProperty("name").GetString()!;

    /// <summary>The numbers of the tries by their names, of which the kernel keeps fifteen characters.</summary>
    private static Dictionary<string, string> TriesOf(Daemon daemon)
    {
        Dictionary<string, string> found = [];
        foreach (int id in MapIds(daemon.Process.Id))
        {
            string name = NameOf(id);
            if (Tries.FirstOrDefault(t => t[..Math.Min(15, t.Length)] == name) is { } trie)
            {
                found.Add(trie, id.ToString(CultureInfo.InvariantCulture));
            }
        }

        return found;
    }

    private static IEnumerable<int> MapIds(int pid) =>
        Directory.GetFiles($"/proc/{pid}/fdinfo").SelectMany(LinesOf)
            .Where(l => l.StartsWith("map_id:", StringComparison.Ordinal))
            .Select(l => int.Parse(l["map_id:".Length..].Trim(), CultureInfo.InvariantCulture)).Distinct();

    private static string[] LinesOf(string file)
    {
        try
        {
            return File.ReadAllLines(file);
        }
        catch (IOException)
        {
            return []; // a connection that has been closed
        }
    }

    /// <summary>struct bpf_lpm_trie_key: the prefix length in host order, then the address.</summary>
    private static string Cidr(JsonElement key)
    {
        byte[] bytes = [.. key.EnumerateArray().Select(b => Convert.ToByte(b.GetString(), 16))];
        return $"{new IPAddress(bytes[4..])}/{BitConverter.ToUInt32(bytes)}";
    }

    private static IEnumerable<string> Key(string cidr)
    {
        string[] parts = cidr.Split('/');
        return BitConverter.GetBytes(uint.Parse(parts[1], CultureInfo.InvariantCulture)).Concat(IPAddress.Parse(parts[0]).GetAddressBytes())
            .Select(b => b.ToString("x2", CultureInfo.InvariantCulture));
    }

    private static JsonElement Tool(params string[] arguments)
    {
        using JsonDocument document = JsonDocument.Parse(Shell.Check(null, "bpftool", ["-j", .. arguments]));
        return document.RootElement.Clone();
    }
}
