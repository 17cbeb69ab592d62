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
        foreach (int id in MapIds(daemon.Process.Id))
        {
            string name = NameOf(id);

            // The kernel keeps fifteen characters of a name.
            string? trie = Tries.FirstOrDefault(t => t[..Math.Min(15, t.Length)] == name);
            if (trie is not null)
            {
                string policy = name.Contains("drop", StringComparison.Ordinal) || name.EndsWith("_d", StringComparison.Ordinal) ? "drop" : "ignore";
                JsonElement dump = Tool("map", "dump", "id", id.ToString(CultureInfo.InvariantCulture));
                entries.AddRange(dump.EnumerateArray().Select(e => $"{policy} {Cidr(e.GetProperty("key"))}"));
            }
        }

        return [.. entries.Order(StringComparer.Ordinal)];
    }

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
            return []; // a connection that was closed meanwhile
        }
    }

    /// <summary>struct bpf_lpm_trie_key: the prefix length in host order, then the address.</summary>
    private static string Cidr(JsonElement key)
    {
        byte[] bytes = [.. key.EnumerateArray().Select(b => Convert.ToByte(b.GetString(), 16))];
        return $"{new IPAddress(bytes[4..])}/{BitConverter.ToUInt32(bytes)}";
    }

    private static JsonElement Tool(params string[] arguments)
    {
        using JsonDocument document = JsonDocument.Parse(Shell.Check(null, "bpftool", ["-j", .. arguments]));
        return document.RootElement.Clone();
    }
}
