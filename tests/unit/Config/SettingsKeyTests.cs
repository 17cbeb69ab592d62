using System.Text;
using Couic.Config;
using Xunit;

namespace Couic.Tests.Config;

public class SettingsKeyTests
{
    [Theory]
    [InlineData("")]
    [InlineData("logging")]
    [InlineData("server")]
    [InlineData("limits")]
    [InlineData("guard")]
    [InlineData("reporting")]
    [InlineData("peering")]
    [InlineData("peering.peers")]
    public void TheReaderKnowsExactlyTheKeysThatAreExplained(string table)
    {
        // An unknown key that is like no other makes the reader name all that it knows.
        string prefix = table.Length == 0 ? string.Empty : table + ".";
        string text = table == "peering.peers" ? "[[peering.peers]]\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq = 1" : $"{prefix}qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq = 1";
        List<Fault> faults = [];
        SettingsReader.Read("f", Encoding.UTF8.GetBytes(text), faults, checkHost: false);
        string message = Assert.Single(faults, fault => fault.Message.Contains("qqqq", StringComparison.Ordinal)).Message;
        string[] known = message[(message.IndexOf("known: ", StringComparison.Ordinal) + 7)..^1].Split(", ");
        string[] tables = ["logging", "server", "limits", "guard", "reporting", "peering", "peers"];
        Assert.Equal(
            SettingsKey.All.Select(key => key.Name).Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
                .Select(name => name[prefix.Length..]).Where(name => !name.Contains('.', StringComparison.Ordinal)).Order(StringComparer.Ordinal),
            known.Except(tables).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void TheDocumentationHasTheTables() =>
        Assert.Contains(SettingsKey.Markdown(), File.ReadAllText(InRepository("docs/reference/configuration.md")), StringComparison.Ordinal);

    [Fact]
    public void ThePackagesConfigurationIsGood()
    {
        List<Fault> faults = [];
        Settings? settings = SettingsReader.Read("couic.toml", File.ReadAllBytes(InRepository("pkg/couic.toml")), faults, checkHost: false);
        Assert.Empty(faults);
        Assert.NotNull(settings);
    }

    [Fact]
    public void TheDocumentationsMinimalFileIsGood()
    {
        string[] lines = File.ReadAllLines(InRepository("docs/reference/configuration.md"));
        IEnumerable<string> sample = lines.SkipWhile(line => line != "A minimal file:").Skip(1).TakeWhile(line => line.Length == 0 || line.StartsWith("    ", StringComparison.Ordinal));
        List<Fault> faults = [];
        SettingsReader.Read("sample", Encoding.UTF8.GetBytes(string.Join('\n', sample)), faults, checkHost: false);
        Assert.Empty(faults);
    }

    private static string InRepository(string name)
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "couic.csproj")))
        {
            folder = folder.Parent;
        }

        return Path.Combine(folder!.FullName, name);
    }
}
