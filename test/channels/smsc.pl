#!/usr/bin/perl
# A message centre by Net::SMPP (Debian: libnet-smpp-perl), which shares no code with the relay's library. It takes
# one connection after the other, says in JSON lines what it was sent, and delivers what it is told to, in hex.
use strict;
use warnings;
use Net::SMPP;
use IO::Select;
use JSON::PP;

$| = 1;
my $json = JSON::PP->new->canonical;
sub say_line { print $json->encode($_[0]), "\n" }

my $listening = Net::SMPP->new_listen('127.0.0.1', port => 0, smpp_version => 0x34) or die "listen: $!";
say_line({ port => $listening->sockport });
my $select = IO::Select->new(\*STDIN, $listening);
my $session;
my $last = 0;

while (1) {
  for my $ready ($select->can_read) {
    if ($ready == $listening) {
      my ($accepted) = $listening->accept;
      next unless $accepted;
      $accepted->set_version(0x34);
      $session = $accepted;
      $select->add($accepted);
    } elsif (fileno($ready) == fileno(STDIN)) {
      my $line = '';
      # by bytes: what a buffer holds, select does not see
      while (sysread(STDIN, my $byte, 1)) { last if $byte eq "\n"; $line .= $byte }
      exit 0 if $line eq '';
      my $told = $json->decode($line);
      my $seq = $session->deliver_sm(
        source_addr => $told->{from},
        destination_addr => $told->{to},
        source_addr_ton => 1, source_addr_npi => 1, dest_addr_ton => 1, dest_addr_npi => 1,
        esm_class => $told->{esmClass} // 0,
        data_coding => $told->{coding} // 0,
        short_message => pack('H*', $told->{hex}),
        async => 1,
      );
    } else {
      my $pdu = $ready->read_pdu;
      if (!$pdu) {
        $select->remove($ready);
        close $ready;
        say_line({ ended => 1 });
        next;
      }
      take($ready, $pdu);
    }
  }
}

sub take {
  my ($from, $pdu) = @_;
  my %seq = (seq => $pdu->{seq});
  if ($pdu->{cmd} == 0x09) {
    my $is_right = $pdu->{system_id} eq 'confab' && $pdu->{password} eq 'secret';
    $from->bind_transceiver_resp(%seq, system_id => 'perl', status => $is_right ? 0 : 0x0e);
    say_line({ bound => $is_right ? 1 : 0 });
  } elsif ($pdu->{cmd} == 0x04) {
    my $id = 'perl-' . ++$last;
    $from->submit_sm_resp(%seq, message_id => $id);
    say_line({
      submitted => $id,
      from => $pdu->{source_addr},
      to => $pdu->{destination_addr},
      coding => $pdu->{data_coding},
      esmClass => $pdu->{esm_class},
      wantsReceipt => $pdu->{registered_delivery},
      hex => unpack('H*', $pdu->{short_message}),
    });
  } elsif ($pdu->{cmd} == 0x80000005) {
    say_line({ acknowledged => $pdu->{seq}, status => $pdu->{status} });
  } elsif ($pdu->{cmd} == 0x15) {
    $from->enquire_link_resp(%seq);
    say_line({ enquired => 1 });
  } elsif ($pdu->{cmd} == 0x06) {
    $from->unbind_resp(%seq);
  }
}
