using System.Text;
using Couic.Config;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Config;

public class SettingsSchemaTests
{
    /// <summary><c>make reference</c> writes them.</summary>
    [Fact]
    public void TheReferencePage_HasTheTablesOfTheSchema() =>
        Assert.Contains(SettingsSchema.Markdown(), File.ReadAllText(Repository.PathOf("docs/reference/configuration.md")), StringComparison.Ordinal);

    [Fact]
    public void EveryKey_IsReadFromItsRow_ComparedAtAReload_AndTakenOverOrNamed()
    {
        Settings before = Read(Text());
        foreach (SettingsTable table in SettingsSchema.Tables)
        {
            foreach (Setting<Settings> key in table.Keys)
            {
                Settings after = Read(Text(table.Name, key.Key, Changed(key)));
                Assert.False(Equals(key.Value(before), key.Value(after)), $"{table.Name}.{key.Key} is not read or not compared");
                Settings merged = SettingsSchema.Reload(before, after, out string[] needRestart);
                bool isFixed = table.Reload is null || key.NeedsRestart;
                Assert.Equal(key.Value(isFixed ? before : after), key.Value(merged));
                Assert.Equal(isFixed, needRestart.Contains(table.Name.Length == 0 ? key.Key : $"{table.Name}.{key.Key}"));
            }
        }
    }

    [Fact]
    public void WhatWasStartedWithTls_IsNotContinuedWithout_NorTheOtherWayRound()
    {
        Settings plain = Read("ifaces = [\"lo\"]\nworking_dir = \"/w\"\nuser = \"u\"\ngroup = \"g\"\n[logging]\ndir = \"-\"\n[server]\nsocket = \"/s\"\n");
        Settings tls = plain with { Tls = new TlsSettings("/c", "/k") };
        Assert.Equal(tls, SettingsSchema.Reload(tls, plain, out string[] lost));
        Assert.Equal(plain, SettingsSchema.Reload(plain, tls, out string[] gained));
        Assert.Contains("server.tls", lost);
        Assert.Contains("server.tls", gained);
    }

    [Fact]
    public void ThePackagesConfigurationIsGood()
    {
        List<Fault> faults = [];
        Settings? settings = SettingsReader.Read("couic.toml", File.ReadAllBytes(Repository.PathOf("pkg/couic.toml")), faults, checkHost: false);
        Assert.Empty(faults);
        Assert.NotNull(settings);
    }

    [Fact]
    public void TheDocumentationsMinimalFileIsGood()
    {
        string[] lines = File.ReadAllLines(Repository.PathOf("docs/reference/configuration.md"));
        IEnumerable<string> sample = lines.SkipWhile(line => line != "A minimal file:").Skip(1).TakeWhile(line => line.Length == 0 || line.StartsWith("    ", StringComparison.Ordinal));
        List<Fault> faults = [];
        SettingsReader.Read("sample", Encoding.UTF8.GetBytes(string.Join('\n', sample)), faults, checkHost: false);
        Assert.Empty(faults);
    }

    /// <summary>Another value than that of the minimal file, in TOML.</summary>
    private static string Changed(Setting<Settings> key) => (key.Key, key.Values.Split(' ')) switch
    {
        ("ifaces", _) => "[\"eth1\"]",
        ("match", _) => "[\"destination\"]",
        ("policies", _) => "[\"ignore\"]",
        ("listen", _) => "[\"[::1]:2900\"]",
        ("allow", _) => "[\"192.0.2.0/24\"]",
        ("servers", _) => "[\"tls://other\"]",
        ("name", _) => "\"other\"",
        ("webhook", _) => "\"https://host/path\"",
        (_, ["boolean"]) => key.Default == "true" ? "false" : "true",
        (_, [var min, "to", var max, ..]) => key.Default == min ? max : key.Key == "max_total_bytes" ? max : min,
        (_, [['`', ..], ['`', ..], ..]) => $"\"{key.Values.Split(' ').Select(word => word.Trim('`')).First(word => word != key.Default)}\"",
        _ => "\"/other\"",
    };

    /// <summary>A minimal file with one value more, or another one.</summary>
    private static string Text(string table = "", string key = "ifaces", string value = "[\"eth0\"]")
    {
        var values = new Dictionary<(string Table, string Key), string>
        {
            [("", "ifaces")] = "[\"eth0\"]",
            [("", "working_dir")] = "\"/w\"",
            [("", "user")] = "\"u\"",
            [("", "group")] = "\"g\"",
            [("logging", "dir")] = "\"-\"",
            [("server", "socket")] = "\"/s\"",
            [("server.tls", "cert_file")] = "\"/c\"",
            [("server.tls", "key_file")] = "\"/k\"",
            [("reporting", "webhook")] = "\"https://host\"",
            [(table, key)] = value,
        };
        if (table == "bus")
        {
            values.TryAdd((table, "servers"), "[\"tls://host\"]");
            if (key is "user" or "password" or "cert_file" or "key_file")
            {
                values.TryAdd((table, key switch { "user" => "password", "password" => "user", "cert_file" => "key_file", _ => "cert_file" }), "\"/a\"");
            }
        }

        return string.Concat(values.GroupBy(pair => pair.Key.Table).OrderBy(group => group.Key.Length).Select(
            group => $"{(group.Key.Length == 0 ? "" : $"[{group.Key}]")}\n{string.Concat(group.Select(pair => $"{pair.Key.Key} = {pair.Value}\n"))}"));
    }

    private static Settings Read(string text)
    {
        List<Fault> faults = [];
        Settings? settings = SettingsReader.Read("c.toml", Encoding.UTF8.GetBytes(text), faults, checkHost: false);
        Assert.Empty(faults);
        return settings!;
    }
}
