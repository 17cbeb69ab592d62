using Couic.Api.Access;
using Xunit;

namespace Couic.Tests.Api.Access;

public class PermissionTests
{
    [Theory]
    [InlineData(Permission.EntriesRead, "admin clientrw clientro")]
    [InlineData(Permission.EntriesWrite, "admin clientrw")]
    [InlineData(Permission.PeerWrite, "admin peering")]
    [InlineData(Permission.SetsRead, "admin clientrw clientro")]
    [InlineData(Permission.SetsWrite, "admin clientrw")]
    [InlineData(Permission.Stats, "admin monitoring")]
    [InlineData(Permission.Clients, "admin")]
    [InlineData(Permission.Any, "admin clientrw clientro monitoring peering")]
    public void TheMatrixIsThatOfTheApi(Permission permission, string groups) =>
        Assert.Equal(groups.Split(' '), Enum.GetValues<Group>().Where(group => group.Allows(permission)).Select(Groups.Name));

    [Theory]
    [InlineData("admin", Group.Admin)]
    [InlineData("ClientRW", Group.ClientRw)]
    [InlineData("CLIENTRO", Group.ClientRo)]
    [InlineData("Monitoring", Group.Monitoring)]
    [InlineData("peering", Group.Peering)]
    public void GroupWordsAreTakenInAnyCase(string word, Group group)
    {
        Assert.True(Groups.TryParse(word, out Group parsed));
        Assert.Equal(group, parsed);
        Assert.True(Groups.TryParse(System.Text.Encoding.ASCII.GetBytes(word), out parsed));
        Assert.Equal(group, parsed);
        Assert.Equal(group.Name(), word.ToLowerInvariant());
    }

    [Theory]
    [InlineData("")]
    [InlineData("client_rw")]
    [InlineData("admins")]
    [InlineData("admın")]
    [InlineData("0")]
    public void OtherWordsAreNoGroup(string word)
    {
        Assert.False(Groups.TryParse(word, out _));
        Assert.False(Groups.TryParse(System.Text.Encoding.UTF8.GetBytes(word), out _));
    }

    [Theory]
    [InlineData("a", null)]
    [InlineData("-_-", null)]
    [InlineData("123456789012345678901234567890123456789012345678", null)]
    [InlineData("1234567890123456789012345678901234567890123456789", "longer than 48 bytes")]
    [InlineData("", "must not be empty")]
    [InlineData("a.b", "only ASCII letters, digits, \"-\" and \"_\" are allowed")]
    [InlineData("../x", "only ASCII letters, digits, \"-\" and \"_\" are allowed")]
    [InlineData("é", "only ASCII letters, digits, \"-\" and \"_\" are allowed")]
    public void NamesAreCheckedByteByByte(string name, string? fault) =>
        Assert.Equal(fault, NameRule.Fault(System.Text.Encoding.UTF8.GetBytes(name)));
}
